"""Columns of a Parquet file that graft itself has written."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.core.errors import ArtifactError
from graft.core.passing_errors import machine_errors

if TYPE_CHECKING:
    import pyarrow as pa


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


def _table(path: Path, names: Sequence[str] | None = None) -> "pa.Table":
    import pyarrow as pa  # only reports and feature keys ask for it, and it takes longer to import than all else here

    from graft.data.tables.arrow_files import ArrowFile

    try:
        with machine_errors(path, is_ours=True):
            found = ArrowFile(path)
            return found.table(found.schema.names if names is None else names)
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
