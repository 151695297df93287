"""A clock that is set by hand, journals in a few words, searches without Ray, and a dataset of a few images."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.core.storage import write_json
from graft.data.dataset import Dataset, DatasetArrays, open_dataset
from graft.data.square import StoredForm
from graft.data.store import ImageWriter, Origin, Rows, write_rows
from graft.pipeline.learning import Lesson
from graft.pipeline.progress import Progress
from graft.search.conductor import Conductor
from graft.search.protocol import Checkpoint, Proposal
from graft.search.simulation import simulate
from graft.search.tuner import Execution
from graft.spec.metrics import METRICS
from graft.spec.strategy import Strategy
from graft.tracking import events
from graft.tracking.events import Event, TrialStatus

SIDE, CLASSES = 32, ("dark", "light")
TRAIN, VALIDATION, TEST = 20, 10, 6


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def elapsed(self) -> float:
        return self.seconds


class Trials:
    """Events of trials: ``trials.of("t01", [0.5, 0.7])``."""

    strategy = Strategy(lr=0.01)

    def started(
        self, name: str, phase: int = 0, epochs: int = 4, start: tuple[str, int, int] | None = None,
        strategy: Strategy | None = None, time: float = 10.0,
    ) -> Event:  # fmt: skip
        """It begins."""
        one = strategy or self.strategy
        return events.TrialStarted(
            name, one.model_dump(mode="json"), one.label(), 0, phase=phase, epochs=epochs, start=start, time=time
        )

    def reported(self, name: str, epoch: int, score: float, seconds: float = 2.0) -> Event:
        """It reports an epoch."""
        values = {"val/accuracy": score, "val/loss": 1 - score, "train/loss": 1 - score}
        return events.TrialReported(name, epoch, values, seconds, time=10.0 + seconds * epoch)

    def ended(self, name: str, status: TrialStatus = TrialStatus.COMPLETED, reason: str = "because") -> Event:
        """It ends."""
        return events.TrialFinished(name, status, reason, time=50.0)

    def of(
        self, name: str, scores: Sequence[float], status: TrialStatus | None = TrialStatus.COMPLETED, phase: int = 0,
        seconds: float = 2.0,
    ) -> list[Event]:  # fmt: skip
        """A whole trial, from epoch 1 on; None as its status leaves it running."""
        reports = [self.reported(name, epoch, score, seconds) for epoch, score in enumerate(scores, start=1)]
        return [self.started(name, phase), *reports, *([] if status is None else [self.ended(name, status)])]

    def exploited(
        self, name: str, donor: str, epoch: int, segment: int = 1, donor_segment: int = 0, lr: float = 0.02
    ) -> Event:
        """It copies a donor."""
        strategy = self.strategy.model_copy(update={"lr": lr})
        return events.TrialExploited(
            name, segment, strategy.model_dump(mode="json"), strategy.label(), donor, donor_segment, epoch,
            {"lr": (self.strategy.lr, lr)}, f"copies {donor}", time=30.0,
        )  # fmt: skip


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def trials() -> Trials:
    return Trials()


@pytest.fixture
def fold() -> Callable[..., Progress]:
    """``fold(*events, metric="accuracy")``: the progress that events lead to."""

    def build(*happened: Event, metric: str = "accuracy", epochs: int = 4) -> Progress:
        progress = Progress(METRICS[metric], epochs)
        for event in happened:
            progress.apply(event)
        return progress

    return build


class SearchIsOver(BaseException):
    """The execution has been told to end."""


class CurveSearch:
    """Stands for `graft.search.tuner.run_search`: trials learn by a curve, and leave the files that real ones leave.

    Args:
        value: ``value(proposal, epoch)``: the accuracy.
        dies_after: after so many epochs the process dies, before the last of them is reported; 0 is never.
        on_epoch: called before each report.
    """

    class Killed(BaseException):
        """The process is gone."""

    def __init__(
        self,
        value: Callable[[Proposal, int], float],
        dies_after: int = 0,
        on_epoch: Callable[[Proposal, int], object] = lambda proposal, epoch: None,
    ) -> None:
        self._value, self._dies_after, self._on_epoch = value, dies_after, on_epoch
        self.executions: list[Execution] = []
        self.trained: list[tuple[str, int, int]] = []

    def __call__(self, execution: Execution, conductor: Conductor, observer: Any, trial_fn: Any, payload: Any) -> None:
        self.executions.append(execution)

        def curve(proposal: Proposal, epoch: int) -> Mapping[str, float]:
            if execution.is_over():
                raise SearchIsOver
            self._train(proposal, epoch, payload)
            observer.on_placed(proposal.trial, ("node",))
            self._on_epoch(proposal, epoch)
            accuracy = self._value(proposal, epoch)
            return {"val/accuracy": accuracy, "val/loss": 1 - accuracy, "train/loss": 1.0, "train/seconds": 1.0}

        try:
            simulate(conductor, curve)
        except SearchIsOver:
            conductor.close()

    def _train(self, proposal: Proposal, epoch: int, payload: Any) -> None:
        store, start = payload.store, proposal.start
        own = [one for one in store.of_trial(proposal.trial) if one.segment == proposal.segment]
        assert own or start is None or store.state_file(start).exists(), f"{start} is gone"
        self.trained.append((proposal.trial, proposal.segment, epoch))
        files = [store.best_file(proposal.trial)]
        if payload.due.wants(epoch):
            files.append(store.state_file(Checkpoint(proposal.trial, proposal.segment, epoch)))
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        if len(self.trained) == self._dies_after:
            raise self.Killed


@pytest.fixture(scope="session")
def curve_search_of() -> type[CurveSearch]:
    """``curve_search_of(value, dies_after=5)``: what stands for `run_search`."""
    return CurveSearch


@pytest.fixture
def curve_search(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CurveSearch]:
    """``curve_search(value, dies_after=5)``: from now on, searches are played on this curve."""

    def install(*arguments: Any, **options: Any) -> CurveSearch:
        search = CurveSearch(*arguments, **options)
        monkeypatch.setattr("graft.pipeline.phases.run_search", search)
        return search

    return install


def _arrays() -> DatasetArrays:
    """Half of the images of either split are dark, the others light; with noise, so that nothing is learned at once."""
    count = TRAIN + VALIDATION + TEST
    random, labels = np.random.default_rng(0), np.arange(count) % 2
    pixels = 90 + 70 * labels[:, None, None, None] + random.normal(0, 60, (count, SIDE, SIDE, 3))
    splits = np.repeat([0, 1, 2], [TRAIN, VALIDATION, TEST]).astype(np.uint8)
    return DatasetArrays(pixels.clip(0, 255).astype(np.uint8), labels.astype(np.int64), splits, CLASSES)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Twenty images to train on, ten to validate with, six to test with; 32 x 32 pixels of two classes."""
    directory, arrays, stored = tmp_path_factory.mktemp("dataset"), _arrays(), StoredForm(SIDE)
    with ImageWriter(directory / "images.npy", stored) as writer:
        writer.append(arrays.images)
    names = tuple(f"{index}" for index in range(len(arrays.labels)))
    write_rows(directory, Rows(names, arrays.labels, arrays.splits, names), Origin("a test", CLASSES, stored, ()))
    return open_dataset(directory)


@pytest.fixture(scope="session")
def lesson() -> Lesson:
    """Four epochs on the same images; the smallest loss counts."""
    return Lesson(_arrays(), StoredForm(SIDE), "none", METRICS["loss"], 4, None, seed=0, num_threads=1)


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[..., Path]:
    """``make_file("a.json", {...})``: a JSON file, or one with this text."""

    def make(name: str, content: object) -> Path:
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            write_json(path, content)
        return path

    return make
