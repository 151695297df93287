"""From which probability on a label applies."""

import numpy as np

from graft.tasks.multilabel.metrics import Indicators
from graft.tasks.ranking import Floats


def fit_thresholds(probabilities: Floats, targets: Indicators) -> list[float]:
    """The threshold of each label that gives it the best F1.

    A threshold lies half-way between two probabilities, of equally good ones the nearest to 0.5. A label without
    positives, or whose probabilities are not finite, has 0.5.

    Args:
        probabilities: of the validation rows, [N, L]; never of the test rows.
        targets: of the same rows, [N, L].
    """
    return [_best(column, positive) for column, positive in zip(probabilities.T, targets.T == 1, strict=True)]


def _best(scores: Floats, positive: np.ndarray) -> float:
    if not positive.any() or not np.isfinite(scores).all():
        return 0.5
    order = np.argsort(-scores, kind="stable")
    falling = scores[order].astype(np.float64)
    hits = np.cumsum(positive[order])
    predicted = np.arange(1, len(falling) + 1)
    f1 = 2 * hits / (predicted + positive.sum())
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))  # equal scores are taken together
    middle = (falling[ends] + np.append(falling[ends[1:]], 0.0)) / 2
    # A middle can round to the lower of its neighbours, which would let that in too.
    middle = np.where(middle > np.append(falling[ends[1:]], -1.0), middle, falling[ends])
    best = f1[ends] >= f1[ends].max() - 1e-12
    return float(min(middle[best], key=lambda value: abs(value - 0.5)))
