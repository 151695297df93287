"""What orchestration costs: trials that only sleep, through graft's search on Ray Tune, with journal and MLflow on.

Every trial sleeps `--seconds` and reports once, so trials x seconds / lanes is the least that a search can take; `over`
is what it took beyond that. `first` is the time until the first trial reported: Ray is up, but Tune and the processes
have to start; `steady` leaves that out. Run it on an idle machine.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from reporting import json_line, provenance, table, usable_cpus
from sessions import own_ray

from graft.core.clock import SystemClock
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.events import Event, TrialReported
from graft.journal.journal import Journal
from graft.pipeline.publishing import DRAIN_SECONDS
from graft.pipeline.recorder import Recorder
from graft.search.conductor import Conductor
from graft.search.proposer import SearchProposer
from graft.search.protocol import Proposal, TrialReporter
from graft.search.schedulers.build import build_scheduler
from graft.search.searchers.build import build_searcher
from graft.search.tuner import Execution, run_search
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.tracking.relay import start_relay
from graft.tracking.target import target_of

EXAMPLE = """example:
  python tests/benchmarks/orchestration.py --trials 500
  python tests/benchmarks/orchestration.py --smoke
"""
TARGET = 0.08


def sleep(proposal: Proposal, seconds: float, reporter: TrialReporter) -> None:
    """A trial."""
    time.sleep(seconds)
    reporter.report(1, {"val/accuracy": proposal.strategy.lr, "val/loss": 1.0, "train/loss": 1.0, "train/seconds": 1.0})


@dataclass
class Watch:
    """Notes when the first trial reported."""

    first: float | None = None

    def __call__(self, event: Event) -> None:
        if self.first is None and isinstance(event, TrialReported):
            self.first = time.perf_counter()


def main() -> int:
    """Measure, print the table and the JSON line; 1 if a trial is missing or it missed its target."""
    options = _parser().parse_args()
    if options.smoke:
        options.trials, options.seconds = 4, 0.1
    origin = provenance()
    with tempfile.TemporaryDirectory(prefix="graft-bench-", dir=options.work) as name:
        ended, first, whole = search(Path(name), options.trials, options.lanes, options.seconds)
    least = options.trials * options.seconds / options.lanes
    # Until the first report, one round of trials has slept.
    steady = (whole - first) / (least - options.seconds) - 1 if least > options.seconds else 0.0
    over = whole / least - 1
    headers = ["trials", "lanes", "least s", "took s", "over", "first s", "steady", "ended", "target"]
    row = [options.trials, options.lanes, least, whole, f"{over:+.1%}", first, f"{steady:+.1%}", ended, "<= +8 %"]
    print(table(headers, [row]))
    found = {"least": least, "took": whole, "over": over, "first": first, "steady": steady, "ended": ended}
    print(json_line("orchestration", origin, {"trials": options.trials, "lanes": options.lanes, **found}))
    is_met = options.smoke or over <= TARGET
    return 0 if ended == options.trials and is_met else 1


def search(work: Path, trials: int, lanes: int, seconds: float) -> tuple[int, float, float]:
    """Trials that ended, seconds until the first report, and seconds of the whole search."""
    job = sleeping_job(trials)
    home = Home(work / "home")
    home.require_writable()
    experiment = Experiment.create(home, job)
    progress, watch = Progress(job.objective, 1), Watch()
    with Journal(experiment.journal_file) as journal, own_ray():
        for listener in (progress.apply, watch):
            journal.subscribe(listener)
        name = experiment.name
        journal.append(events.ExperimentStarted(name, name, job.model_dump(mode="json"), {}))
        relay = start_relay(experiment.directory, target_of(home, job))
        recorder = Recorder(journal, progress, job.search.seed, SystemClock())
        conductor = conductor_of(job, recorder, lanes)
        execution = Execution("search", experiment.tune, job.objective, {"CPU": 1}, lanes)
        started = time.perf_counter()
        run_search(execution, conductor, recorder, sleep, seconds)
        whole = time.perf_counter() - started
        journal.append(events.ExperimentFinished(events.ExperimentStatus.COMPLETED, whole, ""))
    relay.drain(DRAIN_SECONDS)
    if watch.first is None:
        raise RuntimeError("no trial has reported")
    return progress.counts()["completed"], watch.first - started, whole


def sleeping_job(trials: int) -> Job:
    """A search over one number, in which nothing is stopped."""
    strategy = {"backbone": "efficientnet_lite0", "lr": {"loguniform": [1e-4, 1e-1]}}
    search = {"scheduler": "none", "budget": {"trials": trials}}
    raw = {"name": "sleep", "data": "digits", "strategy": strategy, "training": {"epochs": 1}, "search": search}
    return parse_job(raw)


def conductor_of(job: Job, recorder: Recorder, lanes: int) -> Conductor:
    """The search as a run puts it together."""
    phase, metric = job.phases[0], job.objective
    searcher = build_searcher(phase.searcher, job.strategy, metric, job.search.seed)
    scheduler = build_scheduler(phase, metric, job.search.seed, job.strategy)
    return Conductor(scheduler, SearchProposer(searcher, phase), recorder, metric, lanes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--trials", type=int, default=500, help="how many (default: 500)")
    add("--seconds", type=float, default=1.0, help="that each sleeps (default: 1)")
    add("--lanes", type=int, default=usable_cpus(), help="trials at once (default: the CPUs)")
    add("--work", type=Path, help="where the temporary home goes")
    add("--smoke", action="store_true", help="four short trials, to see that it runs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
