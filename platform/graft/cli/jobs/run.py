"""`graft run`: from a job file to a registered model."""

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graft.cli.options import HomeOption, JobArgument, JsonOption, LogFormat, LogFormatOption, SetOption
from graft.cli.output.tell import tell, tell_json
from graft.core.errors import ResourceError, SpecError
from graft.core.escaping import escaped
from graft.core.storage import Home, write_json
from graft.core.stores.copy import publish

if TYPE_CHECKING:
    from graft.cli.output.captured_output import Terminal
    from graft.experiments.directory import Experiment
    from graft.experiments.result import Result
    from graft.spec.job import Job

SHOWN_TRIALS = 10
# What a user names to have it predicted.
_SAMPLE = {"text": "--text '…'"}


ReplayOption = Annotated[
    str | None,
    typer.Option(
        metavar="SCHEDULE",
        help="Train what an earlier search has found, instead of searching: its experiment, or its schedule.json.",
    ),
]


@dataclass(frozen=True)
class Manner:
    """How a run is told.

    Attributes:
        is_plain: the result is one JSON object, and nothing is shown meanwhile.
        has_json_log: what happens is told as lines of JSON.
    """

    is_plain: bool
    has_json_log: bool = False

    @classmethod
    def of(cls, as_json: bool, log_format: LogFormat) -> "Manner":
        has_json_log = log_format is LogFormat.JSON
        return cls(as_json or has_json_log, has_json_log)

    def note(self, text: str, experiment: str | None = None) -> None:
        """Tell what the user should know of, though the run goes on."""
        from graft.cli.output.json_lines import log_line

        tell(log_line(text, "warning", experiment) if self.has_json_log else f"note: {text}", err=True)

    def say(self, *texts: str) -> None:
        """Tell what is only for people."""
        if not self.is_plain:
            tell(*texts, err=True)


def command(  # noqa: PLR0913 - what a run can be told
    job: JobArgument,
    override: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
    replay: ReplayOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest experiment of this job, if it was cut off.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option("--experiment", metavar="NAME", help="Name of the experiment; one that is there goes on."),
    ] = None,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Run a job: ingest the data, search strategies, fit the winner, score it on test data, export and register it.

    Ctrl-C ends the search and keeps the best model so far; `graft resume` goes on.

    Example: graft run jobs/digits.yaml --set search.budget.trials=8

    Example: graft run my_photos.yaml --replay digits
    """
    from graft.experiments.directory import require_name
    from graft.spec.load import load_job_here, placed_in
    from graft.spec.search.phases import describe

    if name is not None:
        require_name(name)
    loaded = load_job_here(job, override or ())
    place = Home.find(home)
    schedule = None
    if replay is not None:
        from graft.experiments.replay import find_schedule, replayed_job

        schedule = find_schedule(replay, place)
        loaded = replayed_job(loaded, schedule)
    manner = Manner.of(as_json, log_format)
    what = (
        f"replays {replay}" if schedule else describe(loaded.phases, loaded.strategies, loaded.training.epochs is None)
    )
    manner.say(f"{job}: {loaded.name}, {what}")
    from graft.cli.output.looking import looking
    from graft.data.remote.here import copies_in
    from graft.experiments.directory import Experiment
    from graft.pipeline.look import overview_of
    from graft.pipeline.resolve import resolve_job
    from graft.pipeline.run import check_job

    with copies_in(place), placed_in(job, override or ()):
        resolved = resolve_job(loaded)
    loaded = resolved.job
    manner.say(f"task: {loaded.task.kind} of {loaded.data.modality}s by {loaded.objective.name} ({resolved.reason})")
    with copies_in(place):
        overview = overview_of(loaded, resolved.listing, looking(f"{loaded.data.modality}s"))
    manner.say(*(f"{what}: {told}" for what, told in overview.lines()))
    with placed_in(job, override or ()):
        notes = check_job(loaded, place)
    for note in notes:
        manner.note(note)
    if name is not None:
        experiment = _named(place, loaded, name)
    else:
        experiment = None if schedule else _to_go_on_with(loaded, place, resume, manner)
    if experiment is None:
        experiment = Experiment.create(place, loaded, name)
    if schedule is not None:
        write_json(experiment.replay_file, schedule.to_dict())
        publish(experiment.replay_file)
    run_and_report(experiment, place, manner)


def run_and_report(experiment: "Experiment", home: Home, manner: Manner, retry_errored: bool = False) -> None:
    """Run an experiment with a display, and print what came out."""
    result = run_displayed(experiment, home, manner, retry_errored)
    if manner.is_plain:
        tell_json(result.summary)
        return
    _report(result, home)


def run_displayed(experiment: "Experiment", home: Home, manner: Manner, retry_errored: bool = False) -> "Result":
    """Run an experiment with a display."""
    from graft.cli.output.captured_output import chatter_to
    from graft.journal.record import Record
    from graft.pipeline.run import RunOptions, run_experiment
    from graft.tracking.provenance import versions_here

    if told := Record.of(experiment.journal_file).other_versions(versions_here()):
        manner.note(told, experiment.name)
    with chatter_to(experiment.log_file) as terminal, _display(experiment, terminal.err, manner) as listener:
        lost = _leave_at_once(terminal, manner.is_plain)
        options = RunOptions((listener,), retry_errored=retry_errored, on_lost_head=lost, on_session=_keep_submitted)
        return run_experiment(experiment, home, options)


def _keep_submitted() -> None:
    """Have a driver that was submitted to a cluster started again if its node dies."""
    from graft.submit.entry import VARIABLE

    if VARIABLE in os.environ:
        from graft.submit.restarts import keep_driver

        keep_driver()


def _leave_at_once(terminal: "Terminal", as_json: bool) -> Callable[[str], None]:
    """What ends this process with a last word, from any thread: Ray is about to end it without one."""

    def leave(message: str) -> None:
        code = ResourceError.exit_code
        if as_json:
            told = {"status": "failed", "exit_code": code, "error": message, "problems": [message]}
            tell_json(told, stream=terminal.out)
        else:
            tell(f"graft: {message}", stream=terminal.err)
        os._exit(code)

    return leave


def _named(home: Home, job: "Job", name: str) -> "Experiment | None":
    """The experiment of a name, if it is there.

    Raises:
        SpecError: it is one of another job.
    """
    from graft.experiments.directory import Experiment, require_name

    if require_name(name) not in Experiment.names(home):
        return None
    found = Experiment.at(home, name)
    if found.job() != job:
        raise SpecError(f"experiment `{name}` is one of another job; name another, or `graft resume {name}`")
    return found


def _to_go_on_with(job: "Job", home: Home, resume: bool, manner: Manner) -> "Experiment | None":
    """The experiment that is to go on, if there is one and the user wants it; asked only at a terminal."""
    from graft.experiments.resume import find_unfinished

    found = find_unfinished(home, job)
    if found is None:
        if resume:
            manner.note("no experiment of exactly this job was cut off, so a new one begins")
        return None
    if resume:
        manner.note(f"goes on with {found.name}")
        return found
    if sys.stdin.isatty() and sys.stderr.isatty():
        return (
            found
            if typer.confirm(f"{escaped(found.name)} was cut off; go on with it?", default=True, err=True)
            else None
        )
    manner.note(f"{found.name} was cut off; a new experiment begins (--resume goes on with it)")
    return None


@contextlib.contextmanager
def _display(experiment: "Experiment", stream: Any, manner: Manner) -> Iterator[Any]:
    from graft.cli.output.display import live_display
    from graft.cli.output.json_lines import json_display
    from graft.cli.output.plain_lines import plain_display
    from graft.experiments.progress import Progress
    from graft.journal.journal import read
    from graft.search.outlook import Outlook

    if manner.has_json_log:
        with json_display(stream, experiment.name) as listener:
            yield listener
        return
    job = experiment.job()
    if manner.is_plain:
        yield lambda event: None
        return
    progress = Progress(job.objective, job.epochs)
    if experiment.journal_file.exists():  # of an experiment that goes on
        for _, event in read(experiment.journal_file):
            progress.apply(event)
    if not stream.isatty():
        with plain_display(stream, progress, Outlook.of(job)) as listener:
            yield listener
        return
    with live_display(stream, progress, Outlook.of(job)) as listener:
        yield listener


def _of_ensemble(summary: Mapping[str, Any]) -> "Iterator[str]":
    """Who answers, what that brings, and what it costs; nothing where the job asked for none."""
    from graft.spec.metrics import shown

    found = summary.get("ensemble")
    if not found:
        return
    if not found["is_kept"]:
        yield f"ensemble    {found['reason']}"
        return
    yield "ensemble    " + ", ".join(f"{one['trial']} {one['share']:.2f}" for one in found["members"])
    name = summary["metric"]
    alone = shown(found["test_alone"]["metrics"][name])
    cost = f"{found['ms']:.3g} ms a sample instead of {found['ms_alone']:.3g}"
    yield f"alone       the winner: test {name} {alone}; {cost}"


def _report(result: "Result", home: Home) -> None:
    from graft.cli.output.tables import print_leaderboard
    from graft.spec.metrics import shown

    summary = result.summary
    tell("")
    print_leaderboard(result.rows, summary["metric"], limit=SHOWN_TRIALS)
    low, high = summary["test_interval"]
    # Registered models are looked for in the store of this home, unless MLFLOW_TRACKING_URI names another.
    is_found = summary["tracking_uri"] == (os.environ.get("MLFLOW_TRACKING_URI") or home.tracking_uri)
    model = summary["model_uri"] if summary["model_uri"] and is_found else summary["bundle"]
    if home.address:  # what every machine finds
        model = summary["experiment"]
    tell("")
    winner = summary["winner_trial"]
    tell(*(f"winner      {winner}: {row['winner']}" for row in result.rows if row["trial"] == winner))
    if estimate := summary.get("estimate"):
        mean, least, most = map(shown, estimate)
        tell(f"folds       {summary['metric']} {mean}, 95 % interval {least} to {most}")
    tell(*(f"strategy    {row['label']}" for row in result.rows if row["trial"] == winner))
    tell(f"test        {summary['metric']} {shown(summary['test'])}, 95 % interval {shown(low)} to {shown(high)}")
    if tta := summary.get("tta"):
        score, bounds = tta["metrics"][summary["metric"]], tta["intervals"][summary["metric"]]
        interval = f"95 % interval {shown(bounds['low'])} to {shown(bounds['high'])}"
        cost = f"{tta['ms']:.3g} ms a sample instead of {tta['ms_plain']:.3g}"
        tell(f"{tta['views']} views     {summary['metric']} {shown(score)}, {interval}; {cost}")
    for line in _of_ensemble(summary):
        tell(line)
    tell(f"bundle      {summary['bundle']}")
    tell(f"took        {summary['seconds']:.0f} s; log in {summary['experiment_dir']}/log.txt")
    if not summary["tracking_complete"]:
        tell(f"tracking    not everything has reached MLflow; finish with: graft track sync {summary['experiment']}")
    tell("")
    tell("next:")
    tell(f"  graft leaderboard {summary['experiment']}")
    tell(f"  graft predict {shlex.quote(model)} {_SAMPLE.get(summary['modalities'][0], 'FILE…')}")
    tell("  graft ui")
