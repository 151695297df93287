"""What the journal costs: appends a second, and the driver's milliseconds a trial, which must not grow with the trials.

`appends` are records of an epoch, which are handed to the operating system, and records of a decision, which are on
the disk before anyone acts on them (fsync). `driver` is a whole search (ASHA over random strategies, seven epochs a
trial at most) through graft's own proposer, conductor, recorder and journal; only the training is simulated, so all the
time is the driver's. `CPU` is the part of it that does not wait for the disk. `read` is how fast a journal is read.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reporting import json_line, provenance, spread, table

from graft.core.clock import SystemClock
from graft.experiments.progress import Progress
from graft.journal.events import Event, StageStarted, TrialReported
from graft.journal.journal import Journal, read
from graft.pipeline.recorder import Recorder
from graft.search.conductor import Conductor
from graft.search.proposer import SearchProposer
from graft.search.protocol import Proposal
from graft.search.schedulers.build import build_scheduler
from graft.search.searchers.build import build_searcher
from graft.search.simulation import simulate
from graft.spec.job import Job
from graft.spec.load import parse_job

EXAMPLE = """example:
  python tests/benchmarks/journal.py --trials 10,100,1000
  python tests/benchmarks/journal.py --smoke
"""
EPOCHS, SLOTS = 7, 4
# A trial of the largest search may cost so many times what one of the smallest costs.
FLAT = 1.5
METRICS = {"val/accuracy": 0.9, "val/balanced_accuracy": 0.9, "val/macro_f1": 0.9, "val/loss": 0.3, "train/loss": 0.3}
EPOCH = TrialReported("t01", 1, METRICS, 2.5)
DECISION = StageStarted("search", "a detail of some length, as decisions have")


def main() -> int:
    """Measure, print the table and the JSON line; 1 if the driver's time a trial grows."""
    options = _parser().parse_args()
    if options.smoke:
        options.trials, options.appends, options.repeats = [5, 20], 50, 1
    origin, repeats = provenance(), range(options.repeats)
    with tempfile.TemporaryDirectory(prefix="graft-bench-", dir=options.work) as name:
        work = Path(name)
        appends = {
            kind: [appends_a_second(work / f"{kind}-{number}.jsonl", event, options.appends) for number in repeats]
            for kind, event in (("epoch", EPOCH), ("decision", DECISION))
        }
        driver = {
            trials: [search(work / f"{trials}-{number}.jsonl", trials) for number in repeats]
            for trials in options.trials
        }
    print(f"\n{table(['what', 'unit', 'min', 'median', 'max'], rows(appends, driver))}\n")
    found = summary(appends, driver)
    settings = {"trials": options.trials, "appends": options.appends, "repeats": options.repeats}
    print(json_line("journal", origin, {"settings": settings, **found}))
    return 0 if options.smoke or found["is_flat"] else 1


def appends_a_second(file: Path, event: Event, count: int) -> float:
    """Records of one kind that a journal takes in a second."""
    with Journal(file) as journal:
        start = time.perf_counter()
        for _ in range(count):
            journal.append(event)
        return count / (time.perf_counter() - start)


def search(file: Path, trials: int) -> dict[str, float]:
    """Seconds of a whole simulated search, and what its journal holds.

    Raises:
        RuntimeError: the journal does not hold all the trials.
    """
    job = _job(trials)
    with Journal(file) as journal:
        progress = Progress(job.objective, job.training.epochs)
        journal.subscribe(progress.apply)
        conductor = _conductor(job, Recorder(journal, progress, 0, SystemClock()))
        start, started = time.perf_counter(), time.process_time()
        simulate(conductor, _curve)
        seconds, cpu = time.perf_counter() - start, time.process_time() - started
    start = time.perf_counter()
    records = sum(1 for _ in read(file))
    if progress.counts()["total"] != trials:
        raise RuntimeError(f"{progress.counts()['total']} of {trials} trials are in the journal")
    return {"seconds": seconds, "cpu": cpu, "records": records, "read": time.perf_counter() - start}


def summary(
    appends: Mapping[str, Sequence[float]], driver: Mapping[int, Sequence[Mapping[str, float]]]
) -> dict[str, Any]:
    """Medians and ranges; the driver is flat if no median is much above that of the fewest trials."""
    a_trial, cpu = _a_trial(driver, "seconds"), _a_trial(driver, "cpu")
    medians = [one["median"] for one in a_trial.values()]
    reads = {str(trials): spread([one["records"] / one["read"] for one in runs]) for trials, runs in driver.items()}
    return {
        "appends_a_second": {kind: spread(values) for kind, values in appends.items()},
        "driver_ms_a_trial": a_trial,
        "driver_cpu_ms_a_trial": cpu,
        "records": {str(trials): runs[0]["records"] for trials, runs in driver.items()},
        "reads_a_second": reads,
        "growth": medians[-1] / medians[0],
        "is_flat": max(medians) <= FLAT * medians[0],
    }


def _a_trial(driver: Mapping[int, Sequence[Mapping[str, float]]], what: str) -> dict[str, dict[str, float]]:
    """Milliseconds a trial, the fewest trials first."""
    return {str(trials): spread([1000 * run[what] / trials for run in runs]) for trials, runs in sorted(driver.items())}


def rows(
    appends: Mapping[str, Sequence[float]], driver: Mapping[int, Sequence[Mapping[str, float]]]
) -> list[list[Any]]:
    """One row a measurement."""
    found = summary(appends, driver)
    named = [
        *((f"appends, {kind}", "1/s", one) for kind, one in found["appends_a_second"].items()),
        *((f"driver, {trials} trials", "ms a trial", one) for trials, one in found["driver_ms_a_trial"].items()),
        *((f"CPU of it, {trials} trials", "ms a trial", one) for trials, one in found["driver_cpu_ms_a_trial"].items()),
        *((f"read, {trials} trials", "records/s", one) for trials, one in found["reads_a_second"].items()),
    ]
    return [[what, unit, one["min"], one["median"], one["max"]] for what, unit, one in named]


def _job(trials: int) -> Job:
    space = {"freeze": {"uniform": [0.0, 1.0]}, "lr": {"loguniform": [1e-4, 1e-1]}}
    search = {"scheduler": {"kind": "asha"}, "budget": {"trials": trials}}
    return parse_job(
        {"name": "journal", "data": "digits", "strategy": space, "training": {"epochs": EPOCHS}, "search": search}
    )


def _conductor(job: Job, recorder: Recorder) -> Conductor:
    """As the search stage puts it together."""
    (phase,), metric = job.phases, job.objective
    searcher = build_searcher(phase.searcher, job.strategy, metric, 0)
    proposer = SearchProposer(searcher, phase, history=lambda: conductor.history())
    conductor = Conductor(build_scheduler(phase, metric, 0, job.strategy), proposer, recorder, metric, SLOTS)
    return conductor


def _curve(proposal: Proposal, epoch: int) -> Mapping[str, float]:
    """Better with the epochs, and by trial as the strategy's learning rate happens to be."""
    value = 1 - 0.5 / (epoch + 1) - proposal.strategy.lr
    return {**METRICS, "val/accuracy": value, "train/seconds": 2.0}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--trials", type=_numbers, default=[10, 100, 1000], help="sizes of searches (default: 10,100,1000)")
    add("--appends", type=int, default=2000, help="records of each kind (default: 2000)")
    add("--repeats", type=int, default=3, help="measurements of each (default: 3)")
    add("--work", type=Path, help="where the journals are written, on the disk to be measured (default: the system's)")
    add("--smoke", action="store_true", help="the smallest run that shows that it works")
    return parser


def _numbers(text: str) -> list[int]:
    try:
        return sorted({max(1, int(part)) for part in text.split(",")})
    except ValueError:
        raise argparse.ArgumentTypeError(f"is `{text}`, but must be numbers such as 10,100,1000") from None


if __name__ == "__main__":
    sys.exit(main())
