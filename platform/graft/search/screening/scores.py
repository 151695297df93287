"""The scores there are. A new one is a function and a line; it joins tests/contracts/test_screening.py."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graft.core.errors import DataError
from graft.search.screening.centroid import centroid
from graft.search.screening.decomposed import Decomposed
from graft.search.screening.hscore import hscore
from graft.search.screening.logme import logme
from graft.search.screening.ridge import ridge
from graft.search.screening.targets import Asked, Targets


@dataclass(frozen=True)
class Score:
    """One way to tell how well features suit a task; larger is better.

    Attributes:
        compute: ``compute(sample, targets)``.
        asked: what it can be asked for.
        unit: what its values are.
    """

    compute: Callable[[Decomposed, Targets], float]
    asked: tuple[Asked, ...]
    unit: str


SCORES: Mapping[str, Score] = {
    "logme": Score(logme, ("classes", "values"), "log evidence a row"),
    "hscore": Score(hscore, ("classes",), "share of spread, at most the classes less one"),
    "ridge": Score(ridge, ("classes", "values"), "accuracy, or R²"),
    "centroid": Score(centroid, ("classes",), "accuracy"),
}


def score_features(features: NDArray[np.floating], targets: Targets) -> dict[str, float]:
    """Every score that fits the targets, by name.

    Args:
        features: [N, F] of the rows of a sample.
        targets: of the same rows.

    Raises:
        DataError: there is nothing to score: too few rows, features that are not finite, or targets all alike.
    """
    matrix = np.asarray(features, dtype=np.float64)
    if matrix.ndim != 2 or len(matrix) != targets.rows:
        raise DataError(
            f"the features are of shape {list(matrix.shape)}, but must be of {targets.rows} rows, as the targets; "
            "pool each sample to one vector"
        )
    if len(matrix) < 2 or not matrix.shape[1]:
        raise DataError(f"the sample has {len(matrix)} rows, but must have at least 2 with features; take more rows")
    if not np.isfinite(matrix).all():
        count = int((~np.isfinite(matrix)).any(axis=1).sum())
        raise DataError(f"{count} rows have features that are not finite; leave them out, or compute them in fp32")
    if targets.is_constant:
        raise DataError("all targets of the sample are alike, so there is nothing to tell apart; take more rows")
    sample = Decomposed(matrix)
    return {name: one.compute(sample, targets) for name, one in SCORES.items() if targets.asked in one.asked}
