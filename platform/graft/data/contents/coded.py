"""Values of which many are equal: each different one is kept once, and 4 bytes for each row."""

import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graft.data.contents.made import ListLike

_MOST_SHARED = 100_000
"""Different values that are looked up; those that come after so many are kept as often as they come."""


class Coded(ListLike[Any]):
    """Values with the places of the different ones among them.

    Args:
        values: the first ones.
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._codes = array.array("i")
        self._different: list[Any] = []
        self._firsts = array.array("q")
        self._known: dict[Any, int] = {}
        self.extend(values)

    @classmethod
    def of(cls, values: Sequence[Any]) -> "Coded":
        """The values themselves if they are coded already."""
        return values if isinstance(values, Coded) else cls(values)

    @property
    def different(self) -> Sequence[Any]:
        """All values that come, in the order in which they first do; a value may be there twice."""
        return self._different

    @property
    def firsts(self) -> Sequence[int]:
        """The first row of each different value."""
        return self._firsts

    @property
    def codes(self) -> np.ndarray:
        """int32 [N], the place of each row's value among the different ones; nothing can be added while it is used."""
        return np.frombuffer(self._codes, dtype=np.int32)

    def append(self, value: Any) -> None:
        """Add a value."""
        self.extend((value,))

    def extend(self, values: Iterable[Any]) -> None:
        """Add some."""
        known, codes = self._known, self._codes
        for value in values:
            # 1, 1.0 and true are equal to Python; lists can not be looked up.
            key = value if type(value) is str else (type(value), value)
            try:
                code = known.get(key) if len(known) < _MOST_SHARED else known.get(key, -1)
                if code is None:
                    code = known[key] = len(self._different)
            except TypeError:
                code = -1
            if code in (-1, len(self._different)):
                code = len(self._different)
                self._different.append(value)
                self._firsts.append(len(codes))
            codes.append(code)

    def counts(self) -> np.ndarray:
        """int64 [D], how often each of the different values comes."""
        return np.bincount(self.codes, minlength=len(self._different))

    def mapped(self, change: Callable[[Any], Any]) -> "Coded":
        """The same rows with other values, made once for each different one."""
        other = Coded()
        other._codes, other._firsts = self._codes, self._firsts
        other._different = [change(value) for value in self._different]
        return other

    def picked(self, rows: Iterable[int]) -> "Coded":
        """Some of the rows, in this order."""
        return Coded(self.at(row) for row in rows)

    def rows(self, has: Callable[[Any], bool]) -> np.ndarray:
        """int64 [n], rows whose value has something."""
        return np.flatnonzero(self.taken([has(value) for value in self._different], bool))

    def taken(self, values: Sequence[Any], dtype: Any) -> np.ndarray:
        """[N], for each row what stands in the place of its value; `values` has one for each different one."""
        found = np.empty(len(values), dtype=dtype)
        found[:] = values
        taken: np.ndarray = found[self.codes]
        return taken

    def tolist(self) -> list[Any]:
        """As an array has it."""
        return list(self)

    def array(self) -> np.ndarray:
        """object [N]; equal values are one object."""
        return self.taken(self._different, object)

    def __len__(self) -> int:
        return len(self._codes)

    def at(self, place: int) -> Any:
        """The value of a row."""
        return self._different[self._codes[place]]
