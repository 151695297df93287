"""`graft plan --batch-sizes`: how fast a strategy of the job trains with batches of each size, and which fit."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from graft.core.errors import DataError
from graft.core.storage import Home
from graft.data.dataset import Split
from graft.learner.supervised import build_learner
from graft.pipeline.measuring.subject import Subject, subject_of
from graft.spec.job import Job
from graft.spec.strategy import Strategy
from graft.training.loop import train_epoch

SMALLEST, LARGEST = 4, 1024
# Of the highest speed; a batch that is larger for less than the rest gains nothing but fewer steps an epoch.
ENOUGH = 0.9
_WARM_UP, _TIMED = 1, 4
_STEP_SECONDS = 20.0
# So small that no loss grows out of bounds: how fast a step is does not depend on it.
_LR = 1e-8


@dataclass(frozen=True)
class BatchSpeed:
    """What training with batches of one size takes.

    Attributes:
        batch_size: samples a step.
        samples_per_second: through forward, backward and the optimiser; None where it does not fit.
        gpu_bytes: the most that was reserved on a GPU; None without one.
    """

    batch_size: int
    samples_per_second: float | None
    gpu_bytes: int | None = None

    @property
    def fits(self) -> bool:
        return self.samples_per_second is not None


@dataclass(frozen=True)
class BatchSpeeds:
    """Batches of rising size for one strategy.

    Attributes:
        strategy: what was trained.
        rows: training samples there are.
        measured: a size each, rising.
    """

    strategy: Strategy
    rows: int
    measured: tuple[BatchSpeed, ...]

    @property
    def recommended(self) -> int:
        """The smallest size that trains nearly as fast as the fastest.

        Raises:
            DataError: not even the smallest fits.
        """
        return smallest_of_the_fast(self.measured)

    def lines(self) -> tuple[str, ...]:
        """It for the terminal."""
        rows = [
            f"{one.batch_size:>5}  {one.samples_per_second:8.0f} samples/s{_memory(one)}"
            if one.samples_per_second is not None
            else f"{one.batch_size:>5}  does not fit into the memory of the GPU"
            for one in self.measured
        ]
        told = f"batch_size: {self.recommended} is the smallest within {1 - ENOUGH:.0%} of the fastest"
        steps = -(-self.rows // self.recommended)
        return (self.strategy.label(), *rows, f"{told}; {steps} steps an epoch of {self.rows} samples")

    def to_dict(self) -> dict[str, Any]:
        """It as plain JSON."""
        measured = [{**asdict(one), "fits": one.fits} for one in self.measured]
        strategy = self.strategy.model_dump(mode="json")
        return {"strategy": strategy, "rows": self.rows, "measured": measured, "recommended": self.recommended}


def batch_speeds_of(job: Job, home: Home) -> BatchSpeeds:
    """Time a strategy of the job with batches of 4, 8, 16, … as far as memory, half the rows and 20 s a step allow.

    Raises:
        DataError: the data cannot be used, or are fewer than two batches of the smallest size.
        SpecError: the strategy cannot be built.
    """
    subject = subject_of(job, home)
    rows = len(subject.data.arrays.rows(Split.TRAIN))
    if rows < 2 * SMALLEST:
        raise DataError(f"there are {rows} training samples, but must be {2 * SMALLEST} at least to time batches")
    return BatchSpeeds(subject.strategy, rows, tuple(_measured(subject, rows)))


def smallest_of_the_fast(measured: Sequence[BatchSpeed]) -> int:
    """The smallest size whose speed is at least `ENOUGH` of the highest.

    Raises:
        DataError: none fits.
    """
    speeds = {one.batch_size: one.samples_per_second for one in measured if one.samples_per_second is not None}
    if not speeds:
        told = f"batches of {SMALLEST} samples do not fit into the memory of the GPU"
        raise DataError(f"{told}, but must; choose a smaller backbone or a smaller input")
    return min(size for size, speed in speeds.items() if speed >= ENOUGH * max(speeds.values()))


def _measured(subject: Subject, rows: int) -> Iterator[BatchSpeed]:
    size = SMALLEST
    while size <= min(LARGEST, rows // 2):
        one = _speed(subject, size)
        yield one
        if one.samples_per_second is None or size / one.samples_per_second > _STEP_SECONDS:
            return
        size *= 2


def _speed(subject: Subject, size: int) -> BatchSpeed:
    try:
        return _timed(subject, size)
    except torch.OutOfMemoryError:
        return BatchSpeed(size, None)
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _timed(subject: Subject, size: int) -> BatchSpeed:
    strategy = subject.strategy.model_copy(update={"batch_size": size, "lr": _LR})
    learner = build_learner(subject.data, strategy, (Split.TRAIN,))
    session, times = learner.session, list[float]()
    on_gpu = session.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(session.device)

    def on_step(_: int, steps: int) -> bool:
        if on_gpu:
            torch.cuda.synchronize(session.device)
        times.append(time.perf_counter())
        return steps < _WARM_UP + _TIMED

    train_epoch(session, learner.batches().epoch(session.plan.seed, 1, learner.augmenter), on_step)
    # The last batch of an epoch may be shorter; sizes are at most half the rows, so two are whole.
    steps = min(len(times), learner.rows.size // size) - _WARM_UP
    seconds = times[_WARM_UP + steps - 1] - times[_WARM_UP - 1]
    memory = torch.cuda.max_memory_reserved(session.device) if on_gpu else None
    return BatchSpeed(size, steps * size / max(seconds, 1e-9), memory)


def _memory(one: BatchSpeed) -> str:
    return "" if one.gpu_bytes is None else f", {one.gpu_bytes / 2**30:.1f} GiB"
