"""Metrics of an order: how well scores put the positives before the negatives, for many weightings of rows at once.

A bootstrap asks for a metric hundreds of times under other weights of the same rows; sorting once for all of them makes
that affordable. Without weights the values are those of scikit-learn, which takes seconds to import.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def auroc(scores: Floats, positive: NDArray[np.bool_], weights: Floats | None = None) -> NDArray[np.float64]:
    """Area under the receiver operating characteristic; ties count half.

    Args:
        scores: [N].
        positive: [N].
        weights: [N, R], a column for each weighting; every row once if not given.

    Returns:
        [R]; NaN where there is no positive or no negative.
    """
    ranked = _Ranked(scores, positive, weights)
    # Of a positive: the negatives behind it, and half of those level with it.
    behind = ranked.negatives - (ranked.negatives_before + ranked.negatives_through) / 2
    return _divided((ranked.own * behind).sum(axis=0), ranked.positives * ranked.negatives, np.nan)


def average_precision(
    scores: Floats, positive: NDArray[np.bool_], weights: Floats | None = None
) -> NDArray[np.float64]:
    """Mean of the precision over the recall, without interpolation.

    Args:
        scores: [N].
        positive: [N].
        weights: [N, R], a column for each weighting; every row once if not given.

    Returns:
        [R]; NaN where there is no positive.
    """
    ranked = _Ranked(scores, positive, weights)
    precision = _divided(ranked.positives_through, ranked.positives_through + ranked.negatives_through, 0.0)
    return _divided((ranked.own * precision).sum(axis=0), ranked.positives, np.nan)


def ranks(values: Floats) -> NDArray[np.float64]:
    """Ranks [N] from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return mean


class _Ranked:
    """Weights of the rows before each positive one, and through those level with it: [P, R] for P positive rows.

    Rows go from the highest score to the lowest. Only positive rows are looked at, and a row of all weightings lies
    together in memory: both make a bootstrap fast.
    """

    def __init__(self, scores: Floats, positive: NDArray[np.bool_], weights: Floats | None) -> None:
        order = np.argsort(-scores, kind="stable")
        falling, hit = scores[order], positive[order]
        places = np.flatnonzero(hit)
        given = np.ones((len(scores), 1)) if weights is None else weights
        everything = np.cumsum(given[order], axis=0, dtype=np.float64)
        everything = np.concatenate([np.zeros((1, given.shape[1])), everything])
        self.own = given[order[places]].astype(np.float64)
        hits = np.concatenate([np.zeros((1, given.shape[1])), np.cumsum(self.own, axis=0)])
        # Where the rows of the same score begin and end, among all rows and among the positive ones.
        begin = np.searchsorted(-falling, -falling[places], side="left")
        end = np.searchsorted(-falling, -falling[places], side="right")
        hits_before = np.concatenate([[0], np.cumsum(hit)])
        self.positives, self.positives_through = hits[-1], hits[hits_before[end]]
        self.negatives = everything[-1] - self.positives
        self.negatives_before = everything[begin] - hits[hits_before[begin]]
        self.negatives_through = everything[end] - self.positives_through


def _divided(parts: Floats, wholes: Floats, otherwise: float) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(parts, wholes, out=np.full(np.shape(parts), otherwise), where=wholes > 0)
    return ratio
