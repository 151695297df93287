"""The learning-rate range test: which rates a training can take, from one short run (Smith, WACV 2017)."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.core.errors import Problem, SpecError
from graft.data.batches import TrainingBatch
from graft.spec.components.schedule import ScheduleSpec
from graft.training.loop import Session, train_epoch
from graft.training.plan import PartialEpoch

# How much of the past a smoothed loss holds, and how often the lowest one a loss must be to have diverged.
_PAST, _DIVERGED = 0.9, 4.0


class Sweep(ScheduleSpec):
    """From `start` times the peak up to the peak, by the same factor at every step; no job can name it."""

    kind: Literal["sweep"] = "sweep"
    built_by: ClassVar[str] = "graft.training.steps.range_test:sweep_factor"
    start: Annotated[float, Field(gt=0, lt=1)] = 1e-6


def sweep_factor(schedule: Sweep, step: int, total_steps: int) -> float:
    """start^(1 − t / (T − 1))."""
    return float(schedule.start ** (1 - min(step / max(total_steps - 1, 1), 1)))


@dataclass(frozen=True)
class LrRange:
    """What a range test saw.

    Attributes:
        rates: learning rates of the steps, rising.
        losses: smoothed losses before these steps.
        steepest: rate at which the loss fell fastest; a rate to train with.
        lowest: rate at which it was lowest; beyond it training grows unsteady.
        diverged: whether the test ended because the loss grew out of bounds.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    steepest: float
    lowest: float
    diverged: bool


def range_test(session: Session, batches: Callable[[int], Iterable[TrainingBatch]]) -> LrRange:
    """Train with rates that rise by the session's `Sweep`, until the loss has grown out of bounds.

    Args:
        session: of a strategy with that schedule; used up.
        batches: of an epoch, from 1.

    Raises:
        ValueError: the session is of another schedule.
        SpecError: the loss was infinite within three steps, which is too few to say anything.
    """
    total = session.plan.epochs * session.steps_per_epoch
    peak = session.adapted.groups[0]["lr"]
    rates = [peak * sweep_factor(_sweep_of(session), step, total) for step in range(total)]
    seen, last, ended = list[float](), PartialEpoch(), False

    def on_step(_: int, steps: int) -> bool:
        nonlocal last
        before, last = (PartialEpoch() if steps == 1 else last), session.partial
        seen.append((last.loss_sum - before.loss_sum) / (last.samples - before.samples))
        return not _has_diverged(smoothed(seen))

    while session.epochs_done < session.plan.epochs and not ended:
        ended = train_epoch(session, batches(session.epochs_done + 1), on_step) is not None
        if not ended:
            session.finish_epoch({"train/loss": session.partial.loss})
    if len(seen) < 4:
        told = f"the loss was infinite after {len(seen)} steps of {total}, but four at least must be taken"
        raise SpecError([Problem("strategy", f"{told}; begin at smaller rates, or look at the data")])
    return judged(rates[: len(seen)], smoothed(seen), ended)


def judged(rates: list[float], losses: list[float], diverged: bool) -> LrRange:
    """What rates and smoothed losses say; the slope is that by the logarithm of the rate, up to the lowest loss."""
    lowest = min(range(len(losses)), key=losses.__getitem__)
    slopes = [losses[place + 1] - losses[place] for place in range(max(lowest, 1))]
    steepest = min(range(len(slopes)), key=slopes.__getitem__)
    return LrRange(tuple(rates), tuple(losses), rates[steepest], rates[lowest], diverged)


def smoothed(losses: list[float]) -> list[float]:
    """Their moving average, without the pull of its start towards zero."""
    found, mean = [], 0.0
    for count, loss in enumerate(losses, start=1):
        mean = _PAST * mean + (1 - _PAST) * loss
        found.append(mean / (1 - _PAST**count))
    return found


def _has_diverged(losses: list[float]) -> bool:
    return not math.isfinite(losses[-1]) or losses[-1] > _DIVERGED * min(losses)


def _sweep_of(session: Session) -> Sweep:
    schedule = session.plan.strategy.schedule
    if not isinstance(schedule, Sweep):
        raise ValueError(f"the schedule is {schedule.kind}, but must be a sweep")
    return schedule
