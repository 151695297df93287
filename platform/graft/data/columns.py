"""The columns of a dataset: arrays with a row for each sample, of one shape or of any length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from graft.data.streaming.samples import StreamedColumn


@dataclass(frozen=True)
class ColumnSpec:
    """One column of a dataset.

    Attributes:
        name: of its file, without suffix.
        dtype: as numpy names it, such as ``uint8``.
        shape: of a row; None if rows are one-dimensional and of any length.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None = ()


@dataclass(frozen=True)
class StorageSpec:
    """How the samples of a dataset are kept.

    Attributes:
        modality: kind of the modality that decided it.
        columns: what is kept of a sample.
        form: the modality's own settings, plain JSON; they enter the dataset's key.
        identity: text that stands for them in the fingerprint.
    """

    modality: str
    columns: tuple[ColumnSpec, ...]
    form: Mapping[str, Any] = field(default_factory=dict)
    identity: str = ""


class Ragged:
    """Rows of any length, one behind the other.

    Args:
        values: [T], the rows joined.
        offsets: int64 [N + 1], where each begins; the last one is T.
    """

    def __init__(self, values: np.ndarray, offsets: np.ndarray) -> None:
        self.values = values
        self.offsets = offsets

    @classmethod
    def of(cls, rows: Sequence[np.ndarray], dtype: str) -> "Ragged":
        """Join rows in memory."""
        lengths = [len(row) for row in rows]
        values = np.concatenate([np.asarray(row, dtype) for row in rows]) if rows else np.empty(0, dtype)
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [N]."""
        return np.diff(self.offsets)

    def row(self, index: int) -> np.ndarray:
        """One row, a view."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def take(self, rows: np.ndarray) -> list[np.ndarray]:
        """Some rows, in the order asked for; views."""
        return [self.row(int(index)) for index in rows]


Column: TypeAlias = "np.ndarray | Ragged | StreamedColumn"


# Length of the header of an .npy file.
_EMPTY_BYTES = 128


def stored_columns(directory: Path, columns: Sequence[ColumnSpec]) -> dict[str, np.ndarray | Ragged]:
    """The columns in a directory, by name; memory maps."""
    found: dict[str, np.ndarray | Ragged] = {}
    for spec in columns:
        values = mapped(directory / values_file(spec))
        offsets = None if spec.shape is not None else mapped(directory / offsets_file(spec))
        found[spec.name] = values if offsets is None else Ragged(values, offsets)
    return found


def mapped(path: Path) -> np.ndarray:
    """The array in an .npy file; a memory map, unless it is empty."""
    if path.stat().st_size <= _EMPTY_BYTES:  # a file without values cannot be mapped
        empty: np.ndarray = np.load(path, allow_pickle=False)
        return empty
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def values_file(spec: ColumnSpec) -> str:
    """Name of the file that holds a column."""
    return f"{spec.name}.npy"


def offsets_file(spec: ColumnSpec) -> str:
    """Name of the file that says where the rows of a column begin."""
    return f"{spec.name}.offsets.npy"
