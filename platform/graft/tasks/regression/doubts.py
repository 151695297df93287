"""Values that may stand for a missing one."""

from collections.abc import Iterator

import numpy as np

from graft.data.targets import Targets

_FEWEST = 3
"""Rows with one value, from which on it may be a mark rather than a measurement."""
_ABSURD = 1000
"""Times the reach of all others, from which on even one row is told."""


def doubts(targets: Targets) -> Iterator[str]:
    """Targets whose smallest or largest value repeats, far from all others, as -999 does."""
    for name, values in zip(targets.names, targets.values.T, strict=True):
        for value, count, why in _far_away(values):
            yield (
                f"`{name}` is {value:g} in {count:,} of {len(values):,} rows, {why}; it is taken as that number: empty "
                "these cells if it stands for a missing one"
            )


def _far_away(values: np.ndarray) -> Iterator[tuple[float, int, str]]:
    """The smallest and the largest value, if it repeats, and is alone below 0 or farther off than the others reach."""
    different, counts = np.unique(values, return_counts=True)
    if len(different) < _FEWEST:
        return
    for place, others in ((0, different[1:]), (-1, different[:-1])):
        value, count, span = float(different[place]), int(counts[place]), float(others[-1] - others[0])
        far = float(np.abs(others - value).min())
        if span > 0 and far > _ABSURD * span:
            yield value, count, f"and all others are from {others[0]:g} to {others[-1]:g}"
        if count < _FEWEST or not value.is_integer() or far > _ABSURD * span > 0:
            continue
        if place == 0 and value < 0 <= others[0]:
            yield value, count, "and nowhere else below 0"
        elif far > span:
            yield value, count, f"and all others are from {others[0]:g} to {others[-1]:g}"
