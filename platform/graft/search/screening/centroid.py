"""The nearest class mean, with each row left out of its own."""

import numpy as np

from graft.search.screening.decomposed import Decomposed
from graft.search.screening.targets import Targets


def centroid(sample: Decomposed, targets: Targets) -> float:
    """The share of rows that are nearest to the mean of the other rows of their class (Euclidean distance).

    The mean of its own class without a row is (n m − x) / (n − 1). A row that is alone in its class is told wrong, as
    nothing is left to tell it by; of two means that are equally near, the first class wins.
    """
    rows, counts = sample.centred.scores, targets.columns.sum(axis=0)
    own = targets.columns.argmax(axis=1)
    if not rows.shape[1]:
        return float(counts.max() / targets.rows)
    means = (targets.columns.T @ rows) / counts[:, None]
    distances = np.square(rows).sum(axis=1)[:, None] - 2 * rows @ means.T + np.square(means).sum(axis=1)
    # ‖x − (n m − x) / (n − 1)‖ = n / (n − 1) ‖x − m‖
    place, alone = np.arange(targets.rows), counts[own] < 2
    factor = counts[own] / np.maximum(counts[own] - 1, 1)
    distances[place, own] *= np.square(factor)
    distances[place[alone], own[alone]] = np.inf
    return float(np.mean(distances.argmin(axis=1) == own))
