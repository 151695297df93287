"""What the driver of a search costs: many no-op trials at once on nodes that are only simulated, no process of Ray.

Conductor, scheduler, searcher, recorder, journal, progress, estimates, retention, plain display and the question
whether the search is over are those of a run, and are driven as Ray Tune drives them: `--slots` trials at a time, each
of which reports `--epochs` times. Printed are decisions a second of CPU (a decision is the answer to a report, with all
that hangs on it), early and late in the search: what has ended must cost nothing. `share` is the part of one core that
the driver needs when each epoch of each trial takes `--epoch-seconds`. The target is on `growth`: late CPU a decision
÷ early.
"""

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reporting import json_line, provenance, table

from graft.cli.output.plain_lines import PlainLines
from graft.core.clock import SystemClock
from graft.core.storage import Home
from graft.experiments.budget import Reserve, deadline_of, search_end
from graft.experiments.directory import Experiment
from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress
from graft.experiments.retention import Kept, Retention
from graft.experiments.standing.estimates import journal_estimates
from graft.journal import events
from graft.journal.journal import Journal
from graft.learner.checkpoints import CheckpointStore
from graft.pipeline.recorder import Recorder
from graft.pipeline.stages.ending import Seldom
from graft.search.conductor import Conductor
from graft.search.outlook import Outlook
from graft.search.proposer import SearchProposer
from graft.search.protocol import Proposal, Verdict
from graft.search.schedulers.build import build_scheduler
from graft.search.searchers.build import build_searcher
from graft.search.simulation import simulate
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.workers.allocation import ClusterResources, Node, allocate

EXAMPLE = """example:
  python tests/benchmarks/driver.py --trials 10000
  python tests/benchmarks/driver.py --scheduler asha
  python tests/benchmarks/driver.py --smoke
"""
NODES = 125
TARGET_GROWTH = 1.25
WINDOWS = 8


class Driven(Conductor):
    """A conductor that does with every report what the bridge to Ray Tune does, and notes what that has cost."""

    recorder: Recorder
    is_over: Any
    cpu: list[float]

    def reported(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> Verdict:
        """The answer to a report."""
        self.recorder.on_placed(trial, (f"node-{hash(trial) % NODES}",))
        verdict = super().reported(trial, epoch, metrics)
        self.is_over()
        self.cpu.append(time.process_time())
        return verdict


def main() -> int:
    """Measure, print the table and the JSON line; 1 if it grows, or a trial is missing."""
    options = _parser().parse_args()
    if options.smoke:
        options.trials, options.slots = 60, 20
    origin = provenance()
    with tempfile.TemporaryDirectory(prefix="graft-bench-", dir=options.work) as name:
        ended, cpu, wall = search(Path(name), options)
    costs = windows(cpu, options.slots * options.epochs)
    early, late, whole = costs[0], costs[-1], (cpu[-1] - cpu[0]) / (len(cpu) - 1)
    growth = late / early
    share = whole * options.slots / options.epoch_seconds
    found = {"decisions_s": 1 / whole, "early_ms": early * 1e3, "late_ms": late * 1e3, "growth": growth}
    found |= {"share": share}
    headers = [
        "trials",
        "slots",
        "reports",
        "decisions/s",
        "early ms",
        "late ms",
        "growth",
        "target",
        "share",
        "wall s",
    ]
    row = [options.trials, options.slots, len(cpu), 1 / whole, early * 1e3, late * 1e3, growth]
    print(table(headers, [[*row, f"<= {TARGET_GROWTH}", f"{share:.1%}", wall]]))
    print(json_line("driver", origin, {"scheduler": options.scheduler, "ended": ended, "reports": len(cpu), **found}))
    is_met = options.smoke or growth <= TARGET_GROWTH
    return 0 if ended == options.trials and is_met else 1


def windows(cpu: list[float], warm: int) -> list[float]:
    """CPU seconds a decision, in equal parts of the search once all slots are taken; medians over small batches."""
    kept = cpu[min(warm, len(cpu) // 3) :]
    size = max(2, len(kept) // WINDOWS)
    parts = [kept[start : start + size] for start in range(0, size * WINDOWS, size)]
    return [_typical(part) for part in parts if len(part) == size]


def _typical(moments: list[float]) -> float:
    batch = max(1, len(moments) // 20)
    starts = range(0, len(moments) - batch, batch)
    return statistics.median((moments[start + batch] - moments[start]) / batch for start in starts)


def search(work: Path, options: argparse.Namespace) -> tuple[int, list[float], float]:
    """Trials that ended, the process's CPU seconds after each report, and wall seconds."""
    job = job_of(options)
    home = Home(work / "home")
    home.require_writable()
    experiment, started = Experiment.create(home, job), time.perf_counter()
    progress, outlook, history = Progress(job.objective, job.epochs), Outlook.of(job), SearchHistory(job.objective)
    lines = PlainLines(io.StringIO(), Progress(job.objective, job.epochs), outlook)
    with Journal(experiment.journal_file) as journal:
        retention = Retention(CheckpointStore(experiment.checkpoints), progress, Kept(), frozenset())
        estimates = journal_estimates(journal, progress, outlook)
        for listener in (progress.apply, estimates, lines.listen, history.apply, retention.apply):
            journal.subscribe(listener)
        name = experiment.name
        journal.append(events.ExperimentStarted(name, name, job.model_dump(mode="json"), {}))
        journal.append(events.StageStarted("search"))
        conductor = conductor_of(job, journal, progress, options.slots)
        simulate(conductor, curve)
        journal.append(events.ExperimentFinished(events.ExperimentStatus.COMPLETED, 0.0, ""))
    counts = progress.counts()
    return counts["completed"] + counts["stopped"], conductor.cpu, time.perf_counter() - started


def curve(proposal: Proposal, epoch: int) -> dict[str, float]:
    """A no-op trial."""
    value = proposal.strategy.lr * (1 + epoch / 100)
    return {"val/accuracy": value, "val/loss": 1.0, "train/loss": 1.0, "train/lr": 1e-3, "train/seconds": 0.01}


def conductor_of(job: Job, journal: Journal, progress: Progress, slots: int) -> Driven:
    """The search as a run puts it together, with limits that are never reached."""
    phase, metric = job.phases[0], job.objective
    recorder = Recorder(journal, progress, job.search.seed, SystemClock(), job.reach.varied())
    scheduler = build_scheduler(phase, metric, job.search.seed, job.strategy)
    searcher = build_searcher(phase.searcher, job.strategy, metric, job.search.seed)
    conductor = Driven(scheduler, SearchProposer(searcher, phase), recorder, metric, slots)
    divided = allocate(job.resources, ClusterResources((Node(8.0, 0.0),) * NODES, False), None)
    deadline = deadline_of(job.search.budget, job.resources.price, divided, None)

    def end() -> events.SearchEnded | None:
        reserve = Reserve(5.0, 1.0, 1.0, 5.0)
        return search_end(deadline, job.search.budget, metric, progress, 1.0, reserve)

    conductor.recorder, conductor.is_over, conductor.cpu = recorder, Seldom(end, SystemClock()), []
    return conductor


def job_of(options: argparse.Namespace) -> Job:
    """A search over one number."""
    strategy = {"backbone": "efficientnet_lite0", "lr": {"loguniform": [1e-4, 1e-1]}}
    budget = {"trials": options.trials, "minutes": 100_000, "target": 1.0}
    found = {"scheduler": options.scheduler, "budget": budget}
    raw = {"name": "driven", "data": "digits", "strategy": strategy, "search": found}
    return parse_job({**raw, "training": {"epochs": options.epochs}})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--trials", type=int, default=5000, help="how many (default: 5000)")
    add("--slots", type=int, default=1000, help="trials at once (default: 1000)")
    add("--epochs", type=int, default=3, help="reports of each (default: 3)")
    add("--epoch-seconds", type=float, default=60.0, help="of a trial, for the share (default: 60)")
    add("--scheduler", default="none", help="of the search (default: none)")
    add("--work", type=Path, help="where the temporary home goes")
    add("--smoke", action="store_true", help="a few trials, to see that it runs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
