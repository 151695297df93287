"""Columns of the user's table beside those of samples and labels."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graft.core.errors import DataError
from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.data.tables.labelled import open_table
from graft.doctor.checks.column_faults import ColumnFault, column_faults
from graft.spec.checks.samples import ColumnCheck

MOST_ROWS, MOST_COLUMNS = 20_000, 256
_AT_ONCE = 8


def columns(spec: ColumnCheck, examined: Examined) -> Iterator[Found]:
    """Columns that say nothing, the same as another, or too much; the first 20,000 rows are looked at."""
    table = examined.table
    if table is None:
        return
    path = Path(table.path)
    there = [name for name in open_table(path, table.encoding).names if name not in table.used][:MOST_COLUMNS]
    read: dict[str, list[Any]] = {}
    label: list[Any] = []
    for start in range(0, len(there), _AT_ONCE):
        some = there[start : start + _AT_ONCE]
        values = _read(path, table.encoding, (table.used[0], table.label, *some))
        label = values.pop(table.label, label)
        read.update(values)
    by_kind: defaultdict[str, list[ColumnFault]] = defaultdict(list)
    for fault in column_faults(read, label):
        by_kind[fault.kind].append(fault)
    for kind, faults in by_kind.items():
        told = "; ".join(f"`{one.column}` {one.told}" for one in faults[:5])
        yield Found(kind, subjects=tuple(one.column for one in faults), detail=told)


def _read(path: Path, encoding: str, names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Values of columns; those that hold something else than numbers and texts are left out, if need be one by one."""
    sample, *others = names
    try:
        values = open_table(path, encoding).read(sample, others)[1]
    except DataError:
        if len(others) <= 2:
            return {}
        return {
            name: cells for one in others[1:] for name, cells in _read(path, encoding, (sample, others[0], one)).items()
        }
    return {name: list(cells[:MOST_ROWS]) for name, cells in values.items()}
