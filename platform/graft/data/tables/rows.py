"""What the readers of all kinds of tables have in common: named columns, and texts kept once."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, overload

import pyarrow as pa

from graft.core.errors import DataError


class Table(Protocol):
    """A table in a file, of which only the header has been read."""

    @property
    def names(self) -> Sequence[str]:
        """Of its columns, as they stand there."""

    def read(self, text: str, others: Sequence[str]) -> tuple[Sequence[bytes], dict[str, list[Any]]]:
        """The texts as UTF-8, empty where there is none, and the values of other columns, None where there is none.

        Raises:
            DataError: a row is damaged, or the texts are none.
        """


class ArrowTexts(Sequence[bytes]):
    """UTF-8 texts that stay where Arrow has put them, empty where there is none.

    Args:
        column: of strings.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        chunks = [chunk for chunk in column.cast(pa.large_string()).chunks if len(chunk)]
        self._values = pa.chunked_array(chunks, pa.large_string())

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            # A copy: a part that is sent to another machine must not take the whole column along, as Arrow's slices do.
            return [self[place] for place in range(*index.indices(len(self)))]
        return _bytes_of(self._values[index])

    def __iter__(self) -> Iterator[bytes]:
        return (_bytes_of(value) for chunk in self._values.chunks for value in chunk)


def require_columns(path: Path, there: Sequence[str], wanted: Sequence[str]) -> None:
    """All of these columns are there, each once.

    Raises:
        DataError: one is missing or there twice.
    """
    for name in wanted:
        count = list(there).count(name)
        if count > 1:
            raise DataError(f"{path.name} has {count} columns `{name}`, but must have one; rename the others")
        if count == 0:
            near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            columns = ", ".join(f"`{one}`" for one in there) or "none at all"
            raise DataError(
                f"{path.name} has no column `{name}`, but must have it; its columns are {columns}"
                f"{_separated_otherwise(there) or hint}"
            )


def _separated_otherwise(there: Sequence[str]) -> str:
    mark = next((mark for mark in (";", "|", "\t") if len(there) == 1 and mark in there[0]), None)
    name = {"\t": "tabs"}.get(mark or "", f"`{mark}`")
    return f"; it seems to be separated by {name}: save it with commas, or as .tsv with tabs" if mark else ""


def _bytes_of(value: Any) -> bytes:
    buffer = value.as_buffer()
    return b"" if buffer is None else buffer.to_pybytes()
