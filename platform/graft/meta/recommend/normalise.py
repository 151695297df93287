"""Values of one task in a unit that all tasks share: how far below the best, measured by how much there is to lose."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

Key = TypeVar("Key")

WORST = -3.0
"""What is further below the best than this counts as this: a broken training tells nothing of the others."""


def below_best(values: Mapping[Key, float | None]) -> dict[Key, float]:
    """(value − best) / (best − median), at least `WORST`, so that 0 is the best of the task; failures have `WORST`.

    A task in which all values are equal tells nothing: all have 0.
    """
    known = np.array([one for one in values.values() if one is not None])
    if not len(known):
        return {}
    best = float(known.max())
    spread = best - float(np.median(known))
    if spread <= 1e-9 * max(1.0, abs(best)):
        spread = best - float(known.mean())
    if spread <= 1e-9 * max(1.0, abs(best)):
        return {key: 0.0 if one is not None else WORST for key, one in values.items()}
    return {key: WORST if one is None else max(WORST, (one - best) / spread) for key, one in values.items()}


def standardised(values: Mapping[Key, float]) -> dict[Key, float]:
    """Scores of one task with mean 0 and deviation 1, within ±3; none where they are all alike or not finite."""
    finite = {key: one for key, one in values.items() if np.isfinite(one)}
    known = np.array(list(finite.values()))
    if len(known) < 2 or known.std() <= 1e-12 * max(1.0, float(np.abs(known).max())):
        return {}
    mean, deviation = float(known.mean()), float(known.std())
    return {key: float(np.clip((one - mean) / deviation, -3, 3)) for key, one in finite.items()}
