"""The parts of a memory as tables: read, checked, and put together; what is damaged is left out and told."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from graft.meta.memory.place import Place, new_part_name
from graft.meta.memory.schema import IDENTITY, RECORDS, SCHEMAS, WRITER_KEY, conform, metadata

MOST_PART_BYTES = 1 << 30
_ROW = "__row"
_NOT_WHOLE = "is damaged, no whole Parquet file; delete it, and `graft memory sync` brings back what journals tell"


@dataclass(frozen=True)
class Part:
    """A part that could be read.

    Attributes:
        name: its own.
        table: of the schema.
        is_own: whether the user of this process has written it.
    """

    name: str
    table: pa.Table
    is_own: bool


@dataclass(frozen=True)
class Damaged:
    """A part that could not.

    Attributes:
        kind: of its entries.
        name: its own.
        reason: as the end of a sentence about it.
    """

    kind: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name} is left out: it {self.reason}"


def read_parts(place: Place, kind: str, writer: str) -> Iterator[Part | Damaged]:
    """All parts of a kind, the oldest first; one that another process has just merged into another is passed over.

    Args:
        place: where they are.
        kind: of entries.
        writer: who reads: what a place that knows no owners tells apart by.
    """
    for name in place.names(kind):
        try:
            content = place.read(kind, name)
            if len(content) > MOST_PART_BYTES:
                yield Damaged(kind, name, f"has {len(content)} bytes, more than {MOST_PART_BYTES}")
                continue
            table = pq.read_table(pa.BufferReader(content))
        except FileNotFoundError:
            continue
        except OSError as error:
            # Arrow tells of a damaged file by the same error as of one that cannot be read.
            yield Damaged(kind, name, f"cannot be read ({' '.join((error.strerror or str(error)).split())[:120]})")
            continue
        except (pa.ArrowException, ValueError):
            yield Damaged(kind, name, _NOT_WHOLE)
            continue
        try:
            conformed = conform(kind, table)
        except ValueError as error:
            yield Damaged(kind, name, str(error))
            continue
        own = place.is_own(kind, name)
        told = (table.schema.metadata or {}).get(WRITER_KEY, b"").decode("utf-8", "replace")
        yield Part(name, conformed, told == writer if own is None else own)


def write_part(place: Place, kind: str, table: pa.Table, writer: str) -> str:
    """Write a table as a new part, and return its name."""
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata(writer)), sink, compression="zstd")
    name = new_part_name()
    place.write(kind, name, sink.getvalue().to_pybytes())
    return name


def joined(kind: str, parts: list[Part]) -> tuple[pa.Table, np.ndarray]:
    """The entries of all parts, each once: of equal identity the last; and bool [N], which of them are own."""
    if not parts:
        return SCHEMAS[kind].empty_table(), np.zeros(0, dtype=bool)
    table = pa.concat_tables([part.table for part in parts])
    is_own = np.repeat([part.is_own for part in parts], [part.table.num_rows for part in parts])
    if kind != RECORDS and not is_own.all():
        # A stranger's entry does not displace one's own.
        order = np.argsort(is_own, kind="stable")
        table, is_own = table.take(pa.array(order)), is_own[order]
    kept = last_of_each(kind, table, is_own)
    return table.take(pa.array(kept)), is_own[kept]


def last_of_each(kind: str, table: pa.Table, is_own: np.ndarray) -> np.ndarray:
    """Rows of the last entry of each identity, in order; a stranger's and one's own are never the same record."""
    keys = list(IDENTITY[kind])
    rows = table.select(keys).append_column(_ROW, pa.array(np.arange(table.num_rows)))
    if kind == RECORDS:
        rows, keys = rows.append_column("__own", pa.array(is_own)), [*keys, "__own"]
    found = rows.group_by(keys, use_threads=False).aggregate([(_ROW, "max")])
    return np.sort(found.column(f"{_ROW}_max").to_numpy())
