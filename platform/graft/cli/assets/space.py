"""`graft space`: what a job's search may try."""

from typing import Annotated, Any

import typer

from graft.cli.help import show_overview
from graft.cli.options import JobArgument, JsonOption, SetOption
from graft.cli.output.tell import tell, tell_json
from graft.spec.messages.counting import counted

app = typer.Typer(help="What the search of a job may try.", invoke_without_command=True)


@app.callback()
def _space(context: typer.Context) -> None:
    """What the search of a job may try."""
    show_overview(context)


@app.command("show")
def show(
    job: JobArgument,
    override: SetOption = None,
    no_data: Annotated[
        bool, typer.Option("--no-data", help="Do not look at the data: the job must say its task.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the tree of what will be searched: fields, distributions, conditions, and how many strategies differ.

    Example: graft space show jobs/digits.yaml --json
    """
    from graft.models.load import depth_of_backbone
    from graft.pipeline.resolve import resolve_job
    from graft.spec.load import load_job, load_job_here, placed_in
    from graft.spec.space.enumeration import distinct
    from graft.spec.space.tree import lines_of, tree_of

    with placed_in(job, override or ()):
        loaded = resolve_job((load_job if no_data else load_job_here)(job, override or ()), look=not no_data).job
    space = loaded.space
    total = space.grid_size()
    different = distinct(space, lambda strategy: depth_of_backbone(strategy.backbone, strategy.structure))
    if as_json:
        found: dict[str, Any] = {"job": loaded.name, "strategies": total, "distinct": different}
        found |= {"dimensions": space.dimensions(), "fields": tree_of(space)}
        tell_json({**found, "first": [strategy.model_dump(mode="json") for strategy in loaded.first]})
        return
    tell(f"space of {loaded.name}: {_size(space.dimensions(), total, different)}")
    lines = list(lines_of(space))
    width = max((2 * line.depth + len(line.name) for line in lines), default=0) + 2
    tell(*(f"{'  ' * line.depth + line.name:<{width}}{line.text}".rstrip() for line in lines))
    if loaded.first:
        tell("tried before any is drawn:", *(f"  {strategy.label(space.varied())}" for strategy in loaded.first))


def _size(dimensions: int, total: int | None, different: int | None) -> str:
    vary = "nothing varies" if not dimensions else f"at most {counted(dimensions, 'distribution')} in a strategy"
    if total is None:
        return f"{vary}, no end of strategies"
    trained = "" if different is None else f", of which {different} train different models"
    return f"{vary}, {total} {'strategy' if total == 1 else 'strategies'}{trained}"
