"""`graft compare`: experiments side by side."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.options import HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.core.storage import Home

if TYPE_CHECKING:
    from graft.experiments.comparison import Found, Pages


def command(
    experiments: Annotated[
        list[str], typer.Argument(metavar="EXPERIMENT…", help="Experiments, names of jobs, or `latest`.")
    ],
    home: HomeOption = None,
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="Port that `graft ui` uses.")] = 5000,
    as_json: JsonOption = False,
) -> None:
    """Compare experiments: best score, strategy, time, cost and test score, and the addresses of the MLflow pages.

    Example: graft compare digits fashion-mnist
    """
    from graft.experiments.comparison import find_out, pages
    from graft.experiments.directory import Experiment
    from graft.tracking.server import local_address

    place = Home.find(home)
    chosen = [Experiment.find(place, name) for name in dict.fromkeys(experiments)]
    found = [find_out(one) for one in chosen]
    shown = pages(place, {one: its.trial for one, its in zip(chosen, found, strict=True)}, local_address(port))
    if as_json:
        result = {"experiments": [asdict(one) for one in found], "compare_url": shown.compare, "views": shown.views}
        tell_json({**result, "problem": shown.problem})
        return
    _print(found, shown, local_address(port))


def _print(found: "list[Found]", shown: "Pages", local: str) -> None:
    from graft.cli.output.tables import print_table

    columns = [
        "experiment",
        "metric",
        "best",
        "trial",
        "strategy",
        "trials",
        "seconds",
        "cost",
        "test",
        "95 % interval",
    ]
    print_table(columns, [_cells(one) for one in found], numbers=("best", "trials", "seconds", "cost", "test"))
    for name, views in shown.views.items():
        for kind, url in views.items():
            tell(f"{kind} of {name}:", f"  {url}")
    if shown.compare:
        tell("their best trials side by side:", f"  {shown.compare}")
    if shown.problem:
        tell(f"no page compares them: {shown.problem}")
    if any(url.startswith(local) for views in shown.views.values() for url in views.values()):
        tell("These pages are there while `graft ui` runs.")


def _cells(one: "Found") -> list[str]:
    from graft.spec.metrics import shown

    low_high = "–" if one.test_interval is None else " to ".join(map(shown, one.test_interval))
    return [
        one.experiment,
        one.metric,
        shown(one.best),
        one.trial or "–",
        one.strategy or "–",
        str(one.trials),
        f"{one.seconds:.0f}",
        shown(one.cost),
        shown(one.test),
        low_high,
    ]
