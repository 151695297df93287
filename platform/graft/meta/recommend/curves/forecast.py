"""The learning curve of a task, a strategy and its epochs, with how far it can be relied on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from graft.meta.recommend.curves.moments import Level, Moments, learned, shipped
from graft.meta.recommend.curves.scale import Scale
from graft.meta.recommend.kernel import Fields, Floats
from graft.meta.recommend.outcomes import Candidate, TaskOutcomes
from graft.spec.metrics import MetricSpec

# Of the planned epochs at most so many are looked at, evenly spread.
MOST_PLACES = 24
# Of past curves those of the tasks that are most alike.
MOST_CURVES = 2000
# What a curve counts that is of a task, or a strategy, with which this one has nothing in common.
_OTHER_TASK, _OTHER_STRATEGY = 0.05, 0.02
_LENGTH = 0.5
_IN_80 = 1.2816


@dataclass(frozen=True)
class PastCurve:
    """A learning curve that is remembered.

    Attributes:
        task: of which it is.
        candidate: what was trained.
        epochs: that were planned.
        values: epoch -> value, as far as it came.
        weight: trust in it, in (0, 1].
    """

    task: str
    candidate: Candidate
    epochs: int
    values: Mapping[int, float]
    weight: float = 1.0


@dataclass(frozen=True)
class CurveForecast:
    """What is expected of a trial.

    Attributes:
        epochs: at which, rising; the last one is the end.
        expected: the median at each, in the metric; as it was where it was seen.
        low: 10 % are below.
        high: 10 % are above.
        moments: of the curve on the scale, once the seen values are known.
        scale: of the metric.
    """

    epochs: tuple[int, ...]
    expected: Floats
    low: Floats
    high: Floats
    moments: Moments
    scale: Scale


class Forecaster:
    """Predicts curves from those of earlier tasks, and from what a trial has shown.

    A curve is a Gaussian vector. Its mean and covariance are those of past curves, each weighed by how alike its task
    (`Similarity`², as for outcomes) and its strategy are, beside `shipped` moments; it is conditioned on the trial's
    own first epochs. That is the Gaussian process over performance curves of Vizier's curve stopping rule (Golovin et
    al., KDD 2017, 3.2.1) and of Freeze-Thaw (Swersky, Snoek & Adams, 2014), with a covariance that is learned from
    earlier tasks in the place of a given kernel over epochs.

    Args:
        past: curves of the metric.
        likeness: of a task to this one, in [0, 1].
        metric: what all values are.
    """

    def __init__(self, past: Sequence[PastCurve], likeness: Callable[[str], float], metric: MetricSpec) -> None:
        self.scale = Scale(metric)
        liking = {task: likeness(task) for task in {one.task for one in past}}
        nearest = sorted(past, key=lambda one: -liking[one.task])[:MOST_CURVES] if self.scale.is_known else []
        trust = [one.weight * _floored(liking[one.task] ** 2, _OTHER_TASK) for one in nearest]
        told = list(zip(nearest, trust, strict=True))
        # What is trained once has no course, and is compared with its like alone.
        self._past = {is_long: _Past(self.scale, told, is_long) for is_long in (True, False)}
        self._candidates = dict.fromkeys(one.candidate for one in nearest)
        self._fields = Fields(tuple(self._candidates))

    def knows(self, epochs: int) -> bool:
        """Whether any past curve tells of trainings that are as long, or of such as are done at once."""
        return bool(self._past[epochs > 1].curves)

    def forecast(self, candidate: Candidate, epochs: int, seen: Mapping[int, float]) -> CurveForecast:
        """What is expected of a strategy.

        Args:
            candidate: it.
            epochs: that it is planned to be trained.
            seen: epoch -> value of those that it has been; those that are not finite are passed over.

        Raises:
            ValueError: the metric has no best value.
        """
        if not self.scale.is_known:
            raise ValueError(f"{self.scale.metric.name} has no best value, but must have one to be foreseen")
        known = {at: value for at, value in seen.items() if math.isfinite(value) and 1 <= at <= epochs}
        grid = _grid(epochs, max(known, default=0))
        places = np.array([row for row, at in enumerate(grid) if at in known], dtype=np.intp)
        values = self.scale.of(np.array([known[grid[row]] for row in places], dtype=np.float64))
        moments = self._moments(candidate, np.array(grid) / epochs).given(places, values)
        return _told(moments, dict(zip(places.tolist(), values, strict=True)), grid, self.scale)

    def _moments(self, candidate: Candidate, shares: Floats) -> Moments:
        """Of curves like those of a candidate, at shares of the planned epochs, before anything is seen."""
        past = self._past[len(shares) > 1]
        level = Level(deviation=self.scale.spread)
        if not past.curves:
            return shipped(shares, level)
        weights = past.trust * self._alike(candidate, [one.candidate for one in past.curves])
        level = level.learned(past.ends, weights)
        found = learned(past.at(shares), weights, shipped(shares, level))
        return replace(found, tasks=_equal_tasks([one.task for one in past.curves], weights))

    def _alike(self, candidate: Candidate, others: Sequence[Candidate]) -> Floats:
        if not self._candidates.keys() >= {candidate, *others}:
            self._candidates.update(dict.fromkeys([candidate, *others]))
            self._fields = Fields(tuple(self._candidates))
        return _floored(self._fields.kernel([candidate], others, _LENGTH)[0], _OTHER_STRATEGY)


class _Past:
    """Past curves of one kind, and how far each is trusted."""

    def __init__(self, scale: Scale, told: Sequence[tuple[PastCurve, float]], is_long: bool) -> None:
        kept, places, values = list[tuple[PastCurve, float]](), list[Floats](), list[Floats]()
        for one, trust in told:
            known = sorted(epoch for epoch, value in one.values.items() if math.isfinite(value))
            if known and (one.epochs > 1) == is_long:
                kept.append((one, trust))
                places.append(np.array(known) / one.epochs)
                values.append(scale.of(np.array([one.values[epoch] for epoch in known])))
        self.curves = [one for one, _ in kept]
        self.trust = np.array([trust for _, trust in kept], dtype=np.float64)
        self.ends = np.array([of[-1] for of in values], dtype=np.float64)
        self._known = list(zip(places, values, strict=True))
        self._rows: dict[tuple[float, ...], Floats] = {}

    def at(self, shares: Floats) -> Floats:
        """The curves at these shares, [M, K]; NaN before the first and behind the last epoch that is known."""
        key = tuple(shares)
        if key not in self._rows:
            rows = [np.interp(shares, *known, left=np.nan, right=np.nan) for known in self._known]
            self._rows[key] = np.array(rows).reshape(len(rows), len(shares))
        return self._rows[key]


def past_curves(outcomes: Sequence[TaskOutcomes], metric: str) -> list[PastCurve]:
    """The learning curves of earlier tasks that are of this metric, one a candidate."""
    return [
        PastCurve(task.task, candidate, one.curve[0][1], _values(one.curve, task.is_loss), one.weight)
        for task in outcomes
        if task.metric == metric
        for candidate, one in task.outcomes.items()
        if one.curve
    ]


def _values(curve: Sequence[tuple[int, int, float]], is_loss: bool) -> dict[int, float]:
    return {epoch: -value if is_loss else value for epoch, _, value in curve}


Number = TypeVar("Number", float, Floats)


def _floored(value: Number, least: float) -> Number:
    return least + (1 - least) * value


def _equal_tasks(tasks: Sequence[str], weights: Floats) -> float:
    """How many tasks of the same weight say as much as these."""
    _, place = np.unique(np.array(tasks), return_inverse=True)
    totals = np.bincount(place, weights)
    return float(totals.sum() ** 2 / np.square(totals).sum())


def _grid(epochs: int, seen: int) -> tuple[int, ...]:
    """Epochs that are looked at: the end and the newest one that was seen are always among them."""
    every = np.linspace(1, epochs, min(epochs, MOST_PLACES)).round().astype(int)
    return tuple(sorted({*every.tolist(), *([seen] if seen else [])}))


def _told(moments: Moments, seen: Mapping[int, float], grid: tuple[int, ...], scale: Scale) -> CurveForecast:
    """In the metric: what was seen at places of the grid as it was, and bands of what is ahead."""
    deviation = moments.widening * np.sqrt(np.maximum(np.diag(moments.covariance), 0.0))
    mean = moments.mean.copy()
    for place, value in seen.items():
        mean[place], deviation[place] = value, 0.0
    ends = [scale.back(mean + side * _IN_80 * deviation) for side in (-1, 1)]
    return CurveForecast(grid, scale.back(mean), np.minimum(*ends), np.maximum(*ends), moments, scale)
