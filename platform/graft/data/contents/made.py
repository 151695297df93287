"""Values that are made when they are asked for: names of a million rows need not lie in memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar, overload

if TYPE_CHECKING:  # `graft validate` reads names of files, and imports nothing heavy for it
    import numpy as np

T = TypeVar("T")


class ListLike(Sequence[T]):
    """What is made when it is asked for: like a list, and equal to one that holds the same."""

    def at(self, place: int) -> T:
        """The value at a place from 0 to N - 1."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self.at(place) for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self.at(place)

    def __iter__(self) -> Iterator[T]:
        return map(self.at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as of a list


class Made(ListLike[T]):
    """As many values as there are, none of them kept.

    Args:
        count: how many there are.
        make: the value of a place; picklable, if this is to be.
    """

    def __init__(self, count: int, make: Callable[[int], T]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def at(self, place: int) -> T:
        """Made anew each time."""
        return self._make(place)


class Picked(ListLike[T]):
    """Some rows of a sequence, in another order or not; none is copied.

    Args:
        values: that they are rows of.
        rows: int64 [n], which.
    """

    def __init__(self, values: Sequence[T], rows: "np.ndarray") -> None:
        self._values, self._rows = values, rows

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, place: int) -> T:
        """As the sequence gives it."""
        return self._values[int(self._rows[place])]
