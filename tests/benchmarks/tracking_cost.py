"""What tracking costs a training: seconds with journal and MLflow relay ÷ without, and with a server that is killed.

As many processes as there are CPUs train graft's own loop on digits, one thread each, so that whatever tracking needs
is taken from training. Variants: `without` drops what the trainers report; `with` journals it, and a relay ships it to
an MLflow server; `killed` does the same, and the server is killed at the first report and never comes back. They take
turns, in another order each time, and a ratio is of one turn: what else the machine does hits all of them.

The server itself is not part of the cost while trainers run: it is up before, and idles but for the relay's calls. The
relay's start (its imports) is: that is how a run has it.
"""

import argparse
import multiprocessing as mp
import queue
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reporting import json_line, provenance, ratio, spread, table, usable_cpus
from stores import sqlite_server

from graft.journal import events
from graft.journal.events import ExperimentStatus, TrialStatus
from graft.journal.journal import Journal, journal_path
from graft.tracking.relay import start_relay

EXAMPLE = """example:
  python tests/benchmarks/tracking_cost.py --repeats 5
  python tests/benchmarks/tracking_cost.py --smoke
"""
VARIANTS = ("without", "with", "killed")
TARGET = 1.01
JOB: dict[str, Any] = {"name": "cost", "search": {"metric": "accuracy"}, "strategy": {"lr": {"uniform": [0, 1]}}}
STRATEGY = {"backbone": "efficientnet_lite0", "freeze": 0.5, "lr": 3e-3, "resolution": 32}


@dataclass(frozen=True)
class Amount:
    """How much each process trains in a turn."""

    trials: int
    epochs: int
    limit: int | None


@dataclass(frozen=True)
class Said:
    """What a trainer says: an epoch's metrics, or the end of a trial (then there are none)."""

    trial: str
    epoch: int
    metrics: Mapping[str, float]
    seconds: float


class Trainers:
    """Processes that train when told to; started once, because their start is no part of what is measured."""

    def __init__(self, count: int, amount: Amount) -> None:
        context = mp.get_context("spawn")
        self._said: Any = context.Queue()
        self._turns = [context.Queue() for _ in range(count)]
        self._processes = [
            context.Process(target=_trainer, args=(lane, amount, turns, self._said), daemon=True)
            for lane, turns in enumerate(self._turns)
        ]
        for process in self._processes:
            process.start()
        self._await_all(lambda said: None)

    def train(self, turn: int, hear: Callable[[Said], None]) -> float:
        """Have all of them train; the seconds until the last is done."""
        started = time.perf_counter()
        for turns in self._turns:
            turns.put(turn)
        self._await_all(hear)
        return time.perf_counter() - started

    def close(self) -> None:
        """End them."""
        for turns, process in zip(self._turns, self._processes, strict=True):
            turns.put(None)
            process.join()

    def _await_all(self, hear: Callable[[Said], None]) -> None:
        ready = 0
        while ready < len(self._processes):
            try:
                said = self._said.get(timeout=5)
            except queue.Empty:
                dead = [process.exitcode for process in self._processes if not process.is_alive()]
                if dead:
                    raise RuntimeError(f"a trainer ended with {dead[0]}") from None
                continue
            if said is None:
                ready += 1
            else:
                hear(said)


def measure(variant: str, turn: int, trainers: Trainers, work: Path) -> float:
    """Seconds of training under one variant."""
    if variant == "without":
        return trainers.train(turn, lambda said: None)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=work)))
        store = stack.enter_context(sqlite_server(place))
        directory = place / f"turn-{turn}"
        directory.mkdir()
        journal = stack.enter_context(Journal(journal_path(directory)))
        journal.append(events.ExperimentStarted(directory.name, directory.name, JOB))
        relay = start_relay(directory, store.target)
        started: set[str] = set()

        def hear(said: Said) -> None:
            if variant == "killed":
                store.kill()
            for event in _events(said, started):
                journal.append(event)

        seconds = trainers.train(turn, hear)
        journal.append(events.ExperimentFinished(ExperimentStatus.COMPLETED, seconds))
        journal.close()
        if variant == "with" and not relay.drain(120):
            raise RuntimeError(f"the relay did not finish: {relay.status()}")
        relay.stop()
    return seconds


def summarise(seconds: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Of both variants with tracking, the ratios to the same turn without."""
    ratios = {
        variant: [ratio(base, one) or 0.0 for base, one in zip(seconds["without"], seconds[variant], strict=True)]
        for variant in VARIANTS[1:]
    }
    return {variant: spread(found) for variant, found in ratios.items()}


def main() -> int:
    """Measure and print; a missed target is only shown."""
    options = _parser().parse_args()
    origin = provenance()
    amount = Amount(1, 1, 200) if options.smoke else Amount(options.trials, 3, None)
    repeats = 1 if options.smoke else options.repeats
    seconds: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as name:
        trainers = Trainers(usable_cpus(), amount)
        trainers.train(-1, lambda said: None)  # the first turn also loads and compiles
        for repeat in range(repeats):
            order = VARIANTS[repeat % 3 :] + VARIANTS[: repeat % 3]
            for variant in order:
                seconds[variant].append(measure(variant, repeat, trainers, Path(name)))
                print(f"  {repeat + 1}/{repeats} {variant}: {seconds[variant][-1]:.2f} s", flush=True)
        trainers.close()
    found = summarise(seconds)
    lines = [
        [variant, one["median"], one["min"], one["max"], one["median"] <= TARGET] for variant, one in found.items()
    ]
    print(f"\n{table(['÷ without', 'median', 'min', 'max', 'met'], lines)}\n")
    settings = {"repeats": repeats, "processes": usable_cpus(), "trials": amount.trials, "epochs": amount.epochs}
    print(json_line("tracking_cost", origin, {"settings": settings, "ratios": found, "seconds": seconds}))
    return 0


def _events(said: Said, started: set[str]) -> list[events.Event]:
    found: list[events.Event] = []
    if said.trial not in started:
        started.add(said.trial)
        found.append(events.TrialStarted(said.trial, STRATEGY, "half frozen", 0))
    if said.metrics:
        return [*found, events.TrialReported(said.trial, said.epoch, said.metrics, said.seconds)]
    return [*found, events.TrialFinished(said.trial, TrialStatus.COMPLETED, "", said.epoch, {}, said.seconds)]


def _trainer(lane: int, amount: Amount, turns: Any, said: Any) -> None:
    """A process: makes ready, then trains whenever it is told a turn, until it is told None."""
    import torch

    torch.set_num_threads(1)
    train = _training(amount)
    said.put(None)
    while (turn := turns.get()) is not None:
        for number in range(amount.trials):
            train(f"t{turn + 1}-{lane}-{number}", said.put)
        said.put(None)


def _training(amount: Amount) -> Callable[[str, Callable[[Said], None]], None]:
    """graft's own loop over digits at 32 px, one trial a call."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    from graft.data.dataset import DatasetArrays, Split
    from graft.learner.supervised import build_learner
    from graft.learner.training_data import TrainingData
    from graft.modalities.image.info import PIXELS
    from graft.modalities.image.storage import StoredImages
    from graft.spec.modalities.image import DigitsData
    from graft.spec.strategy import Strategy
    from graft.spec.tasks.classification import Classification
    from graft.spec.tasks.lookup import metric_named

    digits = load_digits()
    pixels = [Image.fromarray(np.uint8(image * 15.9)).resize((32, 32)) for image in digits.images[: amount.limit]]
    images = np.stack([np.asarray(image) for image in pixels])[..., None]
    splits = np.where(np.arange(len(images)) % 5, int(Split.TRAIN), int(Split.VALIDATION)).astype(np.uint8)
    labels = digits.target[: len(images)].astype(np.int64)
    arrays = DatasetArrays({PIXELS: images}, labels, splits, tuple(map(str, range(10))))
    storage, metric = StoredImages(32, 1, "bicubic").spec(), metric_named("accuracy")
    training_data = TrainingData(arrays, storage, DigitsData(), Classification(), metric, amount.epochs, None, 0, 1)

    def train(trial: str, tell: Callable[[Said], None]) -> None:
        begun = time.perf_counter()

        def on_epoch(result: Any) -> bool:
            tell(Said(trial, result.epoch, {**result.metrics, "train/lr": result.lr}, result.seconds))
            return True

        build_learner(training_data, Strategy.model_validate(STRATEGY), (Split.TRAIN,)).train(on_epoch, validate=True)
        tell(Said(trial, amount.epochs, {}, time.perf_counter() - begun))

    return train


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns of all variants (default: 5)")
    parser.add_argument("--trials", type=int, default=4, help="of each process in a turn (default: 4)")
    parser.add_argument("--smoke", action="store_true", help="the smallest run that shows that it works")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the servers, too
    sys.exit(main())
