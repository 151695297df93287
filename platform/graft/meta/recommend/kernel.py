"""How alike two candidates are, for candidates of any origin: a product of one factor a field; and two tasks."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from graft.meta.recommend.outcomes import Candidate

Floats = NDArray[np.float64]

# Numbers that span more than this factor are compared by their logarithm.
_ORDERS = 20.0


class Fields:
    """The fields of candidates as columns, those that vary.

    A number is compared by its place in the range of all candidates, anything else is equal or one apart; what one has
    and the other lacks is one apart.

    Args:
        candidates: all that will be compared.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._place = {candidate: row for row, candidate in enumerate(candidates)}
        self._kernels: dict[float, Floats] = {}
        rows = [candidate.fields for candidate in candidates]
        names = dict.fromkeys(name for row in rows for name in row)
        columns = [[row.get(name) for row in rows] for name in names]
        varied = [column for column in columns if any(value != column[0] for value in column)]
        numbers = [_scaled(column) for column in varied if _is_numeric(column)]
        others = [_coded(column) for column in varied if not _is_numeric(column)]
        self._numbers = np.array(numbers).T if numbers else np.zeros((len(rows), 0))
        self._others = np.array(others).T if others else np.zeros((len(rows), 0))

    def distance(self, ones: Sequence[Candidate], others: Sequence[Candidate]) -> Floats:
        """The sum over the fields of how far they are apart, each in [0, 1]: [len(ones), len(others)]."""
        here, there = ([self._place[one] for one in group] for group in (ones, others))
        found = np.zeros((len(here), len(there)))
        for column in self._numbers.T:
            one, other = column[here][:, None], column[there][None, :]
            apart = np.abs(one - other)
            found += np.where(np.isnan(one) & np.isnan(other), 0.0, np.where(np.isnan(apart), 1.0, apart))
        for column in self._others.T:
            found += column[here][:, None] != column[there][None, :]
        return found

    def kernel(self, ones: Sequence[Candidate], others: Sequence[Candidate], length: float) -> Floats:
        """exp(−distance / length): 1 for equal candidates, and positive definite as a product of Laplace kernels."""
        return np.asarray(np.exp(-self.distance(ones, others) / length))

    def whole(self, length: float) -> Floats:
        """The kernel of all candidates with each other; computed once for each length."""
        if length not in self._kernels:
            everyone = list(self._place)
            self._kernels[length] = self.kernel(everyone, everyone, length)
        return self._kernels[length]


class Likeness:
    """k_t of tasks: similarity², still positive definite (Schur), so that the nearest tasks stand out.

    Args:
        similarity: of two tasks, in [0, 1].
        tasks: all that will be compared with each other.
        directions: of tasks, a unit vector each, for what their scores have in common (`score_directions`).
    """

    def __init__(
        self,
        similarity: Callable[[str, str], float],
        tasks: Sequence[str],
        directions: Mapping[str, Floats] | None = None,
    ) -> None:
        self._similarity, self._tasks = similarity, tuple(tasks)
        self._directions = directions or {}

    @cached_property
    def whole(self) -> Floats:
        """Of all tasks with each other; computed once."""
        return np.array([self.of(task) for task in self._tasks]).reshape(len(self._tasks), len(self._tasks))

    def of(self, task: str) -> Floats:
        """Of any task with all of them."""
        return np.square([self._similarity(task, other) for other in self._tasks])

    @property
    def has_directions(self) -> bool:
        """Whether the scores of the tasks can be compared."""
        return bool(self._directions)

    @cached_property
    def whole_by_scores(self) -> Floats:
        """The cosine of the scores of all tasks with each other, in [−1, 1]; 0 where one has none."""
        return np.array([self.of_by_scores(task) for task in self._tasks]).reshape(len(self._tasks), len(self._tasks))

    def of_by_scores(self, task: str) -> Floats:
        """Of any task with all of them."""
        own = self._directions.get(task)
        others = [self._directions.get(other) for other in self._tasks]
        return np.array([0.0 if own is None or other is None else float(own @ other) for other in others])


def _is_numeric(column: Sequence[object]) -> bool:
    known = [value for value in column if value is not None]
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)


def _scaled(column: Sequence[object]) -> list[float]:
    numbers = [float(value) if isinstance(value, int | float) else math.nan for value in column]
    known = [value for value in numbers if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    if low > 0 and high / low > _ORDERS:
        numbers = [math.log(value) if math.isfinite(value) else value for value in numbers]
        low, high = math.log(low), math.log(high)
    span = (high - low) or 1.0
    return [(value - low) / span if math.isfinite(value) else math.nan for value in numbers]


def _coded(column: Sequence[object]) -> list[float]:
    codes: dict[str, int] = {}
    return [float(codes.setdefault(repr(value), len(codes))) for value in column]
