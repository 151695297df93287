"""Where features come from: the same interface for this process and for the actors of a Ray cluster."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np

Extract = Callable[[int, int], np.ndarray]
"""Computes the features of the rows from `start` up to, not including, `stop`: floats [stop - start, *shape]."""

ExtractorFactory = Callable[[], Extract]
"""Makes an `Extract` where it will be used; picklable, so what it needs (a network) is loaded there, once."""


class Produce(Protocol):
    """Gives the features of a range of rows."""

    def __call__(self, start: int, stop: int) -> Iterable[np.ndarray]:
        """Floats [n, *shape], one chunk after another; together they are rows `start` up to, not including, `stop`.

        It is asked for all rows at once, or, after damage, for the rows of one file; what it gives is taken one chunk
        at a time, so a generator needs memory for one only. If it has `close`, that is called in the end.
        """


def in_process(extract: Extract, batch_size: int) -> Produce:
    """Computes here, batch by batch.

    Raises:
        ValueError: a batch has no rows.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, but must be >= 1")

    def produce(start: int, stop: int) -> Iterator[np.ndarray]:
        for first in range(start, stop, batch_size):
            yield extract(first, min(first + batch_size, stop))

    return produce
