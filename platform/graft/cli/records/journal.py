"""`graft journal`: what has happened in an experiment, and whether all of it is in MLflow."""

import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graft.cli.help import show_overview
from graft.cli.options import ExperimentArgument, HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.core.errors import SpecError, TrackingError
from graft.core.escaping import escaped
from graft.core.storage import Home

if TYPE_CHECKING:
    from graft.experiments.directory import Experiment
    from graft.journal.lines import Line
    from graft.tracking.audit import AuditResult, Expected

app = typer.Typer(help="The record of all that has happened in an experiment.", invoke_without_command=True)

KindOption = Annotated[str | None, typer.Option("--kind", metavar="K", help="Only records of this kind: TrialStarted.")]
TrialOption = Annotated[str | None, typer.Option("--trial", metavar="T", help="Only records about this trial: t07.")]
LastOption = Annotated[int | None, typer.Option("--last", metavar="N", min=1, help="Only the last so many of them.")]
LinesOption = Annotated[bool, typer.Option("--json", help="Print each record as one line of JSON, for scripts.")]


@app.callback()
def _journal(context: typer.Context) -> None:
    """The record of all that has happened in an experiment."""
    show_overview(context)


@app.command("show")
def show(
    experiment: ExperimentArgument = "latest",
    kind: KindOption = None,
    trial: TrialOption = None,
    last: LastOption = None,
    home: HomeOption = None,
    as_json: LinesOption = False,
) -> None:
    """Print what has happened in an experiment, one line a record: when, what, and why.

    Example: graft journal show digits --trial t07
    """
    from graft.cli.output.describe_event import narrate
    from graft.experiments.directory import find_recorded

    found = find_recorded(Home.find(home), experiment)
    chosen = _chosen(found.journal_file, _Choice(_kind(kind), trial))
    for line in chosen if last is None else deque(chosen, maxlen=last):
        if line.problem:
            tell(f"graft: {_told(found.journal_file, line)}", err=True)
        elif as_json:
            tell(_visible_json(line.text.decode(errors="replace")))
        else:
            tell(f"{_stamp(line)}  {narrate(line)}")


@app.command("verify")
def verify(experiment: ExperimentArgument = "latest", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Count what an experiment has recorded, and hold it against MLflow: nothing may be lost there, or doubled.

    Ends with 0 if so, and if no record is damaged but a torn last one.

    Example: graft journal verify digits --json
    """
    from graft.experiments.directory import find_recorded

    place = Home.find(home)
    found = find_recorded(place, experiment)
    expected, audit, unreachable = _audit(place, found)
    counts = _counts(expected, audit)
    if as_json:
        tell_json(counts)
    else:
        tell(*_lines(counts))
    for line in expected.damage:
        tell(f"graft: {_told(found.journal_file, line)}", err=True)
    advice = unreachable or _advice(found, expected, counts)
    if advice:
        tell(f"graft: {advice}", err=True)
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Choice:
    kind: str | None
    trial: str | None

    def takes(self, line: "Line") -> bool:
        """Damaged lines are always shown: they may be about anything."""
        if line.problem:
            return True
        if self.kind is not None and type(line.event).__name__ != self.kind:
            return False
        return self.trial is None or self.trial in _trials(line)


def _chosen(file: Path, choice: _Choice) -> "Iterator[Line]":
    from graft.journal.journal import scan

    return (line for line in scan(file) if choice.takes(line))


def _trials(line: "Line") -> set[Any]:
    return {getattr(line.event, name, None) for name in ("trial", "donor", "of")}


def _kind(given: str | None) -> str | None:
    from graft.core.registry import unknown
    from graft.journal.event_json import KINDS

    if given is None:
        return None
    known = {kind.lower(): kind for kind in KINDS}
    if given.lower() not in known:
        raise SpecError(unknown("--kind", given, sorted(KINDS)))
    return known[given.lower()]


def _visible_json(text: str) -> str:
    """The same JSON, whose line of the journal holds texts as they are; in JSON every escape has four digits."""
    return "".join(one if escaped(one) == one else json.dumps(one)[1:-1] for one in text)


def _stamp(line: "Line") -> str:
    seconds = line.event.time if line.event else 0.0
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else " " * 19


def _told(file: Path, line: "Line") -> str:
    if line.is_torn:
        return f"{file}, byte {line.offset}: {line.problem}; it never counted, and the next run cuts it off"
    return f"{file}, byte {line.offset}: {line.problem}"


def _audit(home: Home, experiment: "Experiment") -> "tuple[Expected, AuditResult | None, str]":
    """Both sides; or the journal's alone, and why there is no other."""
    from graft.journal.journal import scan
    from graft.tracking.audit import Expected
    from graft.tracking.environment import settle_environment
    from graft.tracking.target import target_of

    settle_environment()
    from graft.tracking.mlflow.audit import audit_store  # MLflow takes seconds to import

    try:
        return *audit_store(target_of(home, experiment.job()), experiment.journal_file), ""
    except TrackingError as error:
        return Expected.of(scan(experiment.journal_file)), None, str(error)


def _counts(expected: "Expected", audit: "AuditResult | None") -> dict[str, int | None]:
    return {
        "records": expected.records,
        "torn": len(expected.damage),
        "trials": len(expected.trials),
        "runs_expected": len(expected.points),
        "runs_in_mlflow": audit.runs_found if audit else None,
        "metrics_expected": expected.metrics,
        "metrics_in_mlflow": audit.metrics_found if audit else None,
        "lost": audit.lost if audit else None,
        "doubled": audit.doubled if audit else None,
    }


def _lines(counts: dict[str, int | None]) -> list[str]:
    def told(value: int | None) -> str:
        return "?" if value is None else str(value)

    return [
        f"records  {counts['records']}, {counts['torn']} torn or damaged",
        f"trials   {counts['trials']}",
        f"runs     {told(counts['runs_in_mlflow'])} of {counts['runs_expected']} in MLflow",
        f"metrics  {told(counts['metrics_in_mlflow'])} of {counts['metrics_expected']} in MLflow",
        f"lost     {told(counts['lost'])}",
        f"doubled  {told(counts['doubled'])}",
    ]


def _advice(experiment: "Experiment", expected: "Expected", counts: dict[str, int | None]) -> str:
    """What to do, in one line; empty if all is well."""
    from graft.journal.journal import is_being_written
    from graft.tracking.relay_files import RelayFiles

    name, lost, doubled = experiment.name, counts["lost"], counts["doubled"]
    if any(line.is_newer for line in expected.damage):
        return "a newer graft has written on it, and nothing of it is damaged: upgrade graft, and ask again"
    if expected.is_damaged:
        drop = ";".join(f"{_number(experiment.journal_file, line)}d" for line in expected.damage if not line.is_torn)
        return (
            "no run goes on from a damaged journal: put it back from a copy, or give up what the damaged records said "
            f"(sed -i.bak '{drop}' {experiment.journal_file}; a copy stays beside it)"
        )
    if lost and is_being_written(experiment.journal_file):
        return f"{lost} are not in MLflow yet, and {name} still runs; ask again when it has ended"
    refused = RelayFiles(experiment.directory).refused
    if lost and refused.exists():
        return f"{lost} are not in MLflow; it has refused some for good, and {refused} says why"
    if lost:
        return f"{lost} are not in MLflow; `graft track sync {name}` sends what is missing, with --restart everything"
    if doubled:
        return (
            f"{doubled} are in MLflow twice; delete the runs of {name} there, then `graft track sync {name} --restart`"
        )
    return ""


def _number(file: Path, line: "Line") -> int:
    """Counting from one."""
    with file.open("rb") as stream:
        return stream.read(line.offset).count(b"\n") + 1
