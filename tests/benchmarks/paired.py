"""Is one better than the other on the same test rows? The interval of a difference, rows drawn again in pairs.

Both were tested on the same rows, so what makes a row hard is in both scores and cancels in their difference: the
interval is narrower than those of the two scores by themselves. It knows the chance of the test rows only, not that of
the training rows or of the seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Score = Callable[[np.ndarray, np.ndarray], float]
"""``score(predictions, targets)`` of some rows."""


@dataclass(frozen=True)
class Difference:
    """Ours minus theirs, with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int = 3) -> str:
        """``+0.012 (-0.003 to +0.027)``."""
        return f"{self.value:+.{digits}f} ({self.low:+.{digits}f} to {self.high:+.{digits}f})"


def difference(
    score: Score,
    ours: np.ndarray,
    theirs: np.ndarray,
    targets: np.ndarray,
    draws: int = 2000,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> Difference:
    """The paired percentile bootstrap (Efron, 1979) of a difference of scores.

    Args:
        score: of predictions against targets.
        ours: predictions [N, …].
        theirs: of the same rows.
        targets: of the rows.
        draws: how often N rows are drawn, with replacement.
        seed: of the draws.
        groups: of the rows, drawn as wholes: works of one artist are hard together. None draws rows.
    """
    if not len(ours) == len(theirs) == len(targets):
        raise ValueError(f"there are {len(ours)}, {len(theirs)} and {len(targets)} rows, but must be equally many")
    rng = np.random.default_rng(seed)
    rows = _drawn(len(targets), groups, draws, rng)
    found = [score(ours[some], targets[some]) - score(theirs[some], targets[some]) for some in rows]
    low, high = np.quantile(found, [0.025, 0.975])
    return Difference(score(ours, targets) - score(theirs, targets), float(low), float(high))


def _drawn(
    count: int, groups: Sequence[str] | None, draws: int, rng: np.random.Generator
) -> Sequence[np.ndarray] | np.ndarray:
    if groups is None:
        return rng.integers(count, size=(draws, count))
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    members = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    chosen = rng.integers(len(members), size=(draws, len(members)))
    return [np.concatenate([members[code] for code in one]) for one in chosen]


def accuracy(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Share of the rows that are right."""
    return float(np.mean(predictions == targets))


def mean_absolute_error(predictions: np.ndarray, targets: np.ndarray) -> float:
    """In the unit of the targets."""
    return float(np.mean(np.abs(predictions - targets)))


def mean_average_precision(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the labels that occur of the average precision of each, by scikit-learn."""
    from sklearn.metrics import average_precision_score

    occur = labels.any(axis=0)
    return float(average_precision_score(labels[:, occur], probabilities[:, occur], average="macro"))
