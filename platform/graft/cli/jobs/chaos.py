"""`graft chaos`: runs a job under faults, and says which guarantees were kept."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.options import HomeOption, JobArgument, JsonOption, SetOption
from graft.cli.output.tell import tell, tell_json
from graft.core.errors import SpecError
from graft.core.storage import Home

if TYPE_CHECKING:
    from graft.chaos.fault import Fault, Outcome

OnlyOption = Annotated[
    list[str] | None, typer.Option("--only", metavar="NAME", help="Only this fault. May be repeated.")
]


def command(
    job: JobArgument,
    only: OnlyOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Chooses the moments that are left to chance.")] = 0,
    is_listed: Annotated[bool, typer.Option("--list", help="Say what would be done, and do nothing.")] = False,
    override: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a job once undisturbed, then under one fault after the other: processes killed, MLflow down, disks full.

    The job is made small, and is run apart: nothing reaches its own tracking store, and only processes that were
    started for this are touched. On the cluster of RAY_ADDRESS, its nodes are left alone. It takes some minutes, a
    minute or two a fault, and ends with 0 if no guarantee was broken.

    Example: graft chaos my_photos.yaml --only driver-killed --only mlflow-down-in-the-middle

    Example: graft chaos jobs/digits.yaml --list
    """
    from graft.spec.load import load_job, load_job_here

    loaded = (load_job if is_listed else load_job_here)(job, override or ())
    from graft.chaos.catalog import choose  # torch takes seconds

    faults = choose(only or ())
    if is_listed:
        _print_faults(faults, as_json)
        return
    from graft.chaos.fault import Broken, Verdict
    from graft.chaos.runner import ChaosRunner
    from graft.chaos.small_job import make_small
    from graft.core.errors import GraftError

    place = Home.find(home)
    if place.address:
        raise SpecError(f"home is {place.address}, but faults are injected into a directory; name one with --home")
    root = place.root / "chaos" / f"{loaded.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    outcomes: list[Outcome] = []
    with ChaosRunner.of(make_small(loaded), root, lambda line: tell(line, err=True)) as runner:
        try:
            for outcome in runner.run(faults, seed):
                outcomes.append(outcome)
                tell(f"  {outcome.verdict}{_why(outcome)}", err=True)
        except Broken as problem:
            raise GraftError(f"{problem}; what it said is in {root / 'said'}") from problem
    broken = [outcome for outcome in outcomes if outcome.verdict is Verdict.BROKEN]
    if as_json:
        tell_json({"job": loaded.name, "seed": seed, "broken": len(broken), "faults": _plain(outcomes)})
    else:
        _print_outcomes(outcomes)
    if broken:
        tell(f"graft: {len(broken)} of {len(outcomes)} guarantees were broken; all is kept in {root}", err=True)
        raise typer.Exit(1)
    shutil.rmtree(root, ignore_errors=True)


def _print_faults(faults: "Sequence[Fault]", as_json: bool) -> None:
    if as_json:
        keys = ("name", "done", "guarantee")
        tell_json({"faults": [{key: getattr(fault, key) for key in keys} for fault in faults]})
        return
    _print_sentences(["fault", "what is done", "expected"], [[one.name, one.done, one.guarantee] for one in faults])


def _print_outcomes(outcomes: "Sequence[Outcome]") -> None:
    columns = ["fault", "injected at", "expected", "lost", "doubled", "winner", "verdict"]
    rows = [
        [one.fault, one.injected_at, one.guarantee, *_counts(one), one.winner, f"{one.verdict}{_why(one)}"]
        for one in outcomes
    ]
    _print_sentences(columns, rows)


def _print_sentences(columns: "Sequence[str]", rows: "Sequence[Sequence[str]]") -> None:
    """A table whose first column stays whole, and whose sentences go over several lines."""
    from rich.console import Console
    from rich.table import Table

    from graft.cli.output.tables import WIDTH_IN_FILES
    from graft.cli.output.tell import cell

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for column in columns:
        is_number = column in ("lost", "doubled")
        table.add_column(column, justify="right" if is_number else "left", no_wrap=column == "fault" or is_number)
    for row in rows:
        table.add_row(*map(cell, row))
    console = Console()
    (console if console.is_terminal else Console(width=WIDTH_IN_FILES)).print(table)


def _counts(outcome: "Outcome") -> list[str]:
    return [str(outcome.counts.get(name, "–")) for name in ("lost", "doubled")]


def _why(outcome: "Outcome") -> str:
    return f": {'; '.join(outcome.problems)}" if outcome.problems else ""


def _plain(outcomes: "Sequence[Outcome]") -> list[dict[str, object]]:
    return [asdict(outcome) for outcome in outcomes]
