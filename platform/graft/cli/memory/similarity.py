"""`graft memory embed` and `map`."""

from pathlib import Path
from typing import Annotated

import typer

from graft.cli.memory.held import PlaceOption, store_of, tell_left_out, weighed
from graft.cli.options import HomeOption, JobArgument, JsonOption, SetOption
from graft.cli.output.tell import tell, tell_json
from graft.core.storage import Home
from graft.core.uris import user_path
from graft.spec.messages.counting import counted


def embed(
    job: JobArgument,
    fisher: Annotated[
        bool,
        typer.Option("--fisher", help="With the Fisher information of at most 100 samples: a hundred times as dear."),
    ] = False,
    override: SetOption = None,
    home: HomeOption = None,
    place: PlaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what the task of a job is like: its numbers, its vector, and the tasks of the memory that are like it.

    Example: graft memory embed jobs/digits.yaml
    """
    from graft.spec.load import load_job_here

    parsed = load_job_here(job, override or ())
    from graft.pipeline.task_memory.embed import embed as embed_task  # torch takes seconds

    contents = store_of(home, place).contents()
    found = embed_task(parsed, Home.find(home), weighed(contents).tasks(), fisher)
    if as_json:
        tell_json(found.to_dict())
        return
    tell_left_out(contents)
    entry = found.entry
    size = f"{entry.rows:,} training rows, {entry.outputs} outputs"
    tell(f"{entry.title} ({entry.task}): {entry.modality} {entry.task_kind}, {size}")
    tell(*(f"  {key} = {value:.3g}" for key, value in entry.meta_features.items()))
    tell(f"  vector {entry.embedding_version or 'none'}: {len(entry.embedding)} entries, {found.seconds:.1f} s")
    for other, alike in found.like:
        tell(f"{alike:.2f} like {other.title or other.task}")


def map_(
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Draw it: .png, .svg or .pdf.")
    ] = None,
    home: HomeOption = None,
    place: PlaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all tasks seen as points of a plane: the nearer two are, the more a strategy for one is worth on the other.

    Example: graft memory map --picture tasks.png
    """
    from graft.meta.task_embedding.layout import plane

    contents = store_of(home, place).contents()
    entries = weighed(contents).tasks()
    points = plane(entries)
    if picture is not None:
        from graft.cli.memory.drawing import draw_map

        draw_map(entries, points, user_path(picture))
    if as_json:
        rows = [
            {"task": one.task, "title": one.title, "modality": one.modality, "x": float(x), "y": float(y)}
            for one, (x, y) in zip(entries, points, strict=True)
        ]
        tell_json({"tasks": rows, "picture": None if picture is None else str(picture)})
        return
    tell_left_out(contents)
    for one, (x, y) in zip(entries, points, strict=True):
        tell(f"{x:7.2f} {y:7.2f}  {one.modality:8} {one.title or one.task}")
    tell(counted(len(entries), "task") + ("" if picture is None else f", drawn in {picture}"))
