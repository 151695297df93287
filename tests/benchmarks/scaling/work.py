"""How many images a second a worker of a group trains, together with the others or beside them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from graft.data.dataset import DatasetArrays, Split
from graft.learner.supervised import build_learner
from graft.learner.training_data import TrainingData
from graft.modalities.image.info import PIXELS
from graft.modalities.image.storage import StoredImages
from graft.spec.modalities.image import DigitsData
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.lookup import metric_named
from graft.training.loop import train_epoch
from graft.training.world import ALONE, Ranks, World
from graft.workers.elastic_host import Rank

CLASSES = 10
ENDLESS = 1000


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        batch: images of a step, of all workers together.
        freeze: share of the depth that stays frozen.
    """

    batch: int
    freeze: float


@dataclass(frozen=True)
class Measurement:
    """How long it is trained.

    Attributes:
        cases: one after the other, by the same processes.
        images: that are timed, of all workers together.
        warm_up: steps before them.
        resolution: pixels of a side.
    """

    cases: tuple[Case, ...]
    images: int
    warm_up: int
    resolution: int


@dataclass(frozen=True)
class Speed:
    """Images a second of all workers together, by case.

    Attributes:
        together: in one training.
        apart: each in a training of its own with its part of the batch, at the same time: nothing is exchanged.
    """

    together: list[float]
    apart: list[float]


def measure(rank: Rank, what: Measurement) -> Speed:
    """Every rank calls this; rank 0's answer counts."""
    world, training_data = Ranks() if rank.size > 1 else ALONE, synthetic_training_data(what.resolution)
    together, apart = list[float](), list[float]()
    for case in what.cases:
        together.append(throughput(training_data, what, case, world))
        apart.append(_apart(training_data, what, case, world) if rank.size > 1 else together[-1])
    return Speed(together, apart)


def _apart(training_data: TrainingData, what: Measurement, case: Case, world: World) -> float:
    part = Case(case.batch // world.size, case.freeze)
    own = replace(what, images=what.images // world.size)
    world.sum([0.0])  # all begin at once
    return world.sum([throughput(training_data, own, part, ALONE)])[0]


def throughput(training_data: TrainingData, what: Measurement, case: Case, world: World) -> float:
    """Images a second over the steps after the warm-up, with everything an epoch has but validation."""
    strategy = Strategy(freeze=case.freeze, batch_size=case.batch, resolution=what.resolution)
    learner = build_learner(training_data, strategy, (Split.TRAIN,), world)
    rows = len(training_data.arrays.rows(Split.TRAIN))
    steps = max(1, what.images // case.batch)
    marks: list[tuple[float, int]] = []

    def on_step(epoch: int, done: int) -> bool:
        marks.append((time.perf_counter(), images_after(epoch, done, case.batch, rows)))
        return len(marks) < what.warm_up + steps

    learner.train(None, validate=False, train_one=partial(train_epoch, on_step=on_step))
    (start, before), (end, after) = marks[what.warm_up - 1], marks[-1]
    return (after - before) / (end - start)


def images_after(epoch: int, steps: int, batch: int, rows: int) -> int:
    """Images trained after so many steps of an epoch (from 1); the last batch of an epoch is smaller."""
    return (epoch - 1) * rows + min(steps * batch, rows)


def synthetic_training_data(resolution: int, rows: int = 1024) -> TrainingData:
    """Noise: how fast it is trained does not depend on what it shows."""
    rng = np.random.default_rng(0)
    arrays = DatasetArrays(
        columns={PIXELS: rng.integers(0, 256, (rows, resolution, resolution, 1), np.uint8)},
        targets=rng.integers(0, CLASSES, rows, np.int64),
        splits=np.full(rows, int(Split.TRAIN), np.uint8),
        names=tuple(str(name) for name in range(CLASSES)),
    )
    storage, metric = StoredImages(resolution, 1, "bicubic").spec(), metric_named("accuracy")
    return TrainingData(arrays, storage, DigitsData(), Classification(), metric, ENDLESS, None, seed=0, num_threads=1)


def cases_of(batches: Sequence[int], freezes: Sequence[float]) -> tuple[Case, ...]:
    """Every combination."""
    return tuple(Case(batch, freeze) for freeze in freezes for batch in batches)
