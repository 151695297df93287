"""Columns of a Parquet file that graft itself has written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.core.errors import ArtifactError
from graft.core.passing_errors import machine_errors

if TYPE_CHECKING:
    import pyarrow as pa

    from graft.data.tables.arrow_files import ArrowFile


def parquet_columns(path: Path, names: Sequence[str] | None = None) -> dict[str, list[Any]]:
    """Some columns of a file, or all, as lists.

    Raises:
        ArtifactError: it is damaged, or holds a type that would bring code along.
    """
    table = _table(path, names)
    return {name: table[name].to_pylist() for name in table.column_names}


def parquet_arrays(path: Path) -> dict[str, np.ndarray]:
    """All columns of a file: [N], or [N, k] of lists, of the type they were written with.

    Raises:
        ArtifactError: it is damaged, or holds a type that would bring code along.
    """
    table = _table(path)
    return {name: _array(table[name]) for name in table.column_names}


def parquet_codes(path: Path, *names: str) -> np.ndarray | None:
    """int64 [N], equal for rows with equal cells in the first of some columns that a file has; None if it has none.

    An empty cell is -1; whole numbers stay what they are.

    Raises:
        ArtifactError: it is damaged, or holds a type that would bring code along.
    """
    with _opened(path) as found:
        held = [name for name in names if name in found.schema.names]
        if not held:
            return None
        column = found.table(held[:1])[held[0]]
    if not str(column.type).startswith("int"):
        column = column.combine_chunks().dictionary_encode().indices
    codes: np.ndarray = column.fill_null(-1).to_numpy().astype(np.int64)
    return codes


def _table(path: Path, names: Sequence[str] | None = None) -> "pa.Table":
    with _opened(path) as found:
        return found.table(found.schema.names if names is None else names)


@contextmanager
def _opened(path: Path) -> "Iterator[ArrowFile]":
    import pyarrow as pa  # only reports and feature keys ask for it, and it takes longer to import than all else here

    from graft.data.tables.arrow_files import ArrowFile

    try:
        with machine_errors(path, is_ours=True):
            yield ArrowFile(path)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        told = " ".join(str(error).split())[:160]
        where = f"dataset {path.parent} is damaged ({path.name}: {told})"
        raise ArtifactError(f"{where}; delete it and run again") from error


def _array(column: "pa.ChunkedArray") -> np.ndarray:
    """Hashes of 64 bits must not become numbers of another type on the way."""
    if not len(column) or not hasattr(column.type, "value_type"):
        plain: np.ndarray = column.to_numpy()
        return plain
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(parts).reshape(len(column), -1)
