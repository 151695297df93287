"""Several sets of features that one pass computes: one is written as it comes, the others are held until it is."""

from collections.abc import Iterator, Sequence

import numpy as np

from graft.data.feature_store.features import Produce


class SideBySide:
    """Splits rows of several sets of features.

    Args:
        produce: gives rows of all sets, one behind the other: floats [n, sum of `widths`].
        widths: numbers of a row of each set.
        rows: how many there are.
    """

    def __init__(self, produce: Produce, widths: Sequence[int], rows: int) -> None:
        self._produce = produce
        self._ends = np.cumsum(widths)
        self._held = np.empty((rows, sum(widths[:-1])), np.float32)

    def last(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Compute some rows: gives those of the last set, and holds those of the others. It is a `Produce`."""
        at, held = start, self._held.shape[1]
        for chunk in self._produce(start, stop):
            self._held[at : at + len(chunk)] = chunk[:, :held]
            at += len(chunk)
            yield chunk[:, held:]

    def held(self, place: int) -> Produce:
        """The rows of a set that are held; call it when `last` has given all rows."""
        first = 0 if place == 0 else int(self._ends[place - 1])
        array = self._held[:, first : int(self._ends[place])]
        return lambda start, stop: (array[start:stop],)
