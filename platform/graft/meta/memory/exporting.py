"""The memory as files for anybody: one Parquet a kind of entry."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graft.core.errors import ResourceError, SpecError
from graft.core.storage import disk_full_is_clear
from graft.meta.memory.schema import KINDS, metadata
from graft.meta.memory.store import Contents


def export_memory(contents: Contents, directory: Path, only: str | None = None) -> Mapping[str, int]:
    """Write the entries of a memory; each file is whole, or as it was.

    Args:
        contents: of the memory.
        directory: where to; made if it is not there.
        only: the one task to write; all if None.

    Returns:
        Kind -> how many entries were written.

    Raises:
        SpecError: it is a file.
        ResourceError: the directory cannot be written.
    """
    if directory.exists() and not directory.is_dir():
        raise SpecError(f"{directory} is a file, but must be a directory; name another")
    tables = {kind: _only(contents.tables[kind], only) for kind in KINDS}
    for kind, table in tables.items():
        write_table(table, directory / f"{kind}.parquet")
    return {kind: table.num_rows for kind, table in tables.items()}


def write_table(table: pa.Table, path: Path) -> None:
    """Write entries as a file that says its version.

    Raises:
        ResourceError: it cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with disk_full_is_clear(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table.replace_schema_metadata(metadata("")), scratch, compression="zstd")
            os.replace(scratch, path)
    except OSError as error:
        raise ResourceError(f"{path} cannot be written ({error.strerror}); name another directory") from error
    finally:
        scratch.unlink(missing_ok=True) if scratch.parent.is_dir() else None


def _only(table: pa.Table, task: str | None) -> pa.Table:
    return table if task is None else table.filter(pc.equal(table.column("task"), task))
