"""How fast the relay ships a journal to MLflow, how far it is behind at the end, and whether anything is lost.

A driver writes the journal of 1,000 trials of 20 epochs with 8 metrics each, as fast as it can, while a relay process
follows it, as in a run. `behind` is the time from the driver's last record until the relay has everything in the store;
`metrics/s` is over the whole time from the relay's start. Afterwards every point in the store is held against the
journal: lost and doubled must be 0.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from reporting import json_line, provenance, table
from stores import Store, postgres_server, sqlite, sqlite_server, why_no_postgres

from graft.journal import events
from graft.journal.events import ExperimentStatus, TrialStatus
from graft.journal.journal import Journal, journal_path
from graft.tracking.mlflow.audit import audit_store
from graft.tracking.relay import start_relay

EXAMPLE = """example:
  python tests/benchmarks/relay.py
  python tests/benchmarks/relay.py --smoke
"""
# With the seconds of the epoch, which the relay logs too, eight.
METRICS = ("val/accuracy", "val/balanced_accuracy", "val/macro_f1", "val/loss", "train/loss", "train/lr", "train/norm")
STORES: dict[str, Callable[[Path], AbstractContextManager[Store]]] = {
    "SQLite": sqlite,
    "server on SQLite": sqlite_server,
    "server on PostgreSQL": postgres_server,
}
STRATEGY = {"backbone": "efficientnet_lite0", "freeze": 0.5, "penalty": {"kind": "l2_sp", "strength": 0.01}, "lr": 1e-3}
PATIENCE_S = 3600.0


@dataclass(frozen=True)
class Shipped:
    """One measurement.

    Attributes:
        store: which.
        metrics: points that the journal asks for.
        wrote_s: what the driver needed to write the journal.
        behind_s: from its last record until all was in the store.
        rate: points a second.
        lost: of them.
        doubled: of them.
    """

    store: str
    metrics: int
    wrote_s: float
    behind_s: float
    rate: float
    lost: int
    doubled: int


def write_journal(journal: Journal, name: str, trials: int, epochs: int) -> None:
    """Tell of a whole experiment; four trials run at a time, as their records interleave in a search."""
    job = {"name": "bench", "search": {"metric": "accuracy"}, "strategy": {"lr": {"uniform": [0, 1]}}}
    journal.append(events.ExperimentStarted(name, name, job))
    for first in range(0, trials, 4):
        group = [f"t{number:04}" for number in range(first, min(first + 4, trials))]
        for trial in group:
            journal.append(events.TrialStarted(trial, {**STRATEGY, "lr": first / trials + 1e-4}, "replayed", 0))
        for epoch in range(1, epochs + 1):
            for place, trial in enumerate(group):
                values = {metric: epoch / (epoch + place + 1 + order) for order, metric in enumerate(METRICS)}
                journal.append(events.TrialReported(trial, epoch, values, 1.0))
        for trial in group:
            final = {"val/accuracy": 0.9}
            journal.append(events.TrialFinished(trial, TrialStatus.COMPLETED, "", epochs, final, epochs * 1.0))
    journal.append(events.ExperimentFinished(ExperimentStatus.COMPLETED, 1.0))


def measure(name: str, trials: int, epochs: int, work: Path) -> Shipped:
    """Ship one journal to one store, and count.

    Raises:
        RuntimeError: the relay did not bring everything there.
    """
    directory = work / "experiment"
    directory.mkdir()
    with STORES[name](work) as store:
        started = time.perf_counter()
        with Journal(journal_path(directory)) as journal:
            relay = start_relay(directory, store.target)
            write_journal(journal, name, trials, epochs)
        wrote = time.perf_counter()
        if not relay.drain(PATIENCE_S):
            raise RuntimeError(f"the relay did not finish: {relay.status()}")
        done = time.perf_counter()
        expected, audit = audit_store(store.behind, journal_path(directory))
    return Shipped(
        name, expected.metrics, wrote - started, done - wrote, expected.metrics / (done - started),
        audit.lost, audit.doubled,
    )  # fmt: skip


def rows(results: Sequence[Shipped]) -> list[list[object]]:
    """Lines of the table."""
    return [
        [one.store, one.metrics, one.wrote_s, one.behind_s, round(one.rate), one.lost, one.doubled] for one in results
    ]


def main() -> int:
    """Measure, print, and return 1 if anything was lost or doubled."""
    options = _parser().parse_args()
    origin = provenance()
    trials, epochs = (12, 3) if options.smoke else (options.trials, options.epochs)
    results, skipped = [], {}
    for name in STORES:
        problem = why_no_postgres() if "PostgreSQL" in name else ""
        if problem:
            skipped[name] = problem
            print(f"  {name}: {problem}", flush=True)
            continue
        with tempfile.TemporaryDirectory(prefix="graft-bench-") as work:
            results.append(measure(name, trials, epochs, Path(work)))
        print(f"  {name}: {results[-1].rate:.0f} metrics/s, {results[-1].behind_s:.1f} s behind", flush=True)
    headers = ["store", "metrics", "driver s", "behind s", "metrics/s", "lost", "doubled"]
    print(f"\n{table(headers, rows(results))}\n")
    settings = {"trials": trials, "epochs": epochs, "metrics": len(METRICS) + 1}
    found = {"settings": settings, "results": [asdict(one) for one in results], "skipped": skipped}
    print(json_line("relay", origin, found))
    return 1 if any(one.lost or one.doubled for one in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=1000, help="default: 1000")
    parser.add_argument("--epochs", type=int, default=20, help="of each trial (default: 20)")
    parser.add_argument("--smoke", action="store_true", help="the smallest run that shows that it works")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the servers, too
    sys.exit(main())
