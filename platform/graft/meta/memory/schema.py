"""The form of the task memory on disk: a Parquet schema a kind of entry, whose version a reader looks at first."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pyarrow as pa

from graft.core.storage import canonical_json
from graft.meta.memory.records import Record, Scores, TaskEntry, TrialState

VERSION = 1
"""Goes up when a column changes its meaning; one that is added does not count."""
VERSION_KEY, WRITER_KEY = b"graft.memory.version", b"graft.memory.writer"

RECORDS, TASKS, SCORES, FORGOTTEN = "records", "tasks", "scores", "forgotten"
KINDS = (TASKS, SCORES, RECORDS)
"""Of entries, in the order in which they are written: who finds a record finds its task."""

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int32()
SCHEMAS: Mapping[str, pa.Schema] = {
    RECORDS: pa.schema(
        [
            ("task", _TEXT),
            ("modality", _TEXT),
            ("task_kind", _TEXT),
            ("backbone", _TEXT),
            ("metric", _TEXT),
            ("direction", _TEXT),
            ("value", _NUMBER),
            ("strategy_json", _TEXT),
            ("epoch", _COUNT),
            ("epochs", _COUNT),
            ("seconds", _NUMBER),
            ("state", _TEXT),
            ("trial", _TEXT),
            ("device", _TEXT),
            ("source", _TEXT),
            ("versions", _TEXT),
            ("written_at", _NUMBER),
            ("weight", _NUMBER),
        ]
    ),
    TASKS: pa.schema(
        [
            ("task", _TEXT),
            ("modality", _TEXT),
            ("task_kind", _TEXT),
            ("rows", pa.int64()),
            ("outputs", _COUNT),
            ("meta_features", _TEXT),
            ("embedding", pa.list_(_NUMBER)),
            ("embedding_version", _TEXT),
            ("output_names", pa.list_(_TEXT)),
            ("title", _TEXT),
            ("source", _TEXT),
            ("written_at", _NUMBER),
            ("weight", _NUMBER),
        ]
    ),
    SCORES: pa.schema(
        [
            ("task", _TEXT),
            ("backbone", _TEXT),
            ("score_name", _TEXT),
            ("value", _NUMBER),
            ("source", _TEXT),
            ("written_at", _NUMBER),
        ]
    ),
    FORGOTTEN: pa.schema([("task", _TEXT), ("written_at", _NUMBER)]),
}
IDENTITY: Mapping[str, tuple[str, ...]] = {
    RECORDS: ("trial", "epoch", "metric"),
    TASKS: ("task",),
    SCORES: ("task", "backbone", "score_name"),
    FORGOTTEN: ("task",),
}
"""Columns that tell entries apart: of two that agree in them, the later one counts."""

Entry = Record | TaskEntry | Scores


def kind_of(entry: Entry) -> str:
    """Which of the three it is."""
    return RECORDS if isinstance(entry, Record) else TASKS if isinstance(entry, TaskEntry) else SCORES


def to_table(kind: str, entries: Sequence[Entry]) -> pa.Table:
    """Entries of one kind as a table."""
    schema = SCHEMAS[kind]
    columns = [[_stored(getattr(entry, name)) for entry in entries] for name in schema.names]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def metadata(writer: str) -> dict[bytes, bytes]:
    """What a file says of itself."""
    return {VERSION_KEY: str(VERSION).encode(), WRITER_KEY: writer.encode()}


def conform(kind: str, table: pa.Table) -> pa.Table:
    """A table with the columns of the schema; those that are missing are null, others are left out.

    Raises:
        ValueError: it is of another version, or a column is of another type.
    """
    schema, told = SCHEMAS[kind], dict(table.schema.metadata or {})
    version = told.get(VERSION_KEY, b"").decode("ascii", "replace")
    if version != str(VERSION):
        raise ValueError(f"has schema version {version or 'none'}, but this graft reads {VERSION}")
    held = {name: table.column(name) for name in schema.names if name in table.column_names}
    rows = table.num_rows
    try:
        columns = [
            held[field.name].cast(field.type) if field.name in held else pa.nulls(rows, field.type) for field in schema
        ]
    except pa.ArrowException as error:
        raise ValueError(f"has columns of other types ({error})") from error
    return pa.Table.from_arrays(columns, schema=schema)


def to_records(table: pa.Table) -> list[Record]:
    """The records of a table, in its order."""
    return cast(list[Record], _entries(Record, table, {"state": TrialState, "versions": _mapping}))


def to_tasks(table: pa.Table) -> list[TaskEntry]:
    """The tasks of a table, in its order."""
    read = {"meta_features": _mapping, "embedding": _tuple, "output_names": _tuple}
    return cast(list[TaskEntry], _entries(TaskEntry, table, read))


def to_scores(table: pa.Table) -> list[Scores]:
    """The scores of a table, in its order."""
    return cast(list[Scores], _entries(Scores, table, {}))


_USUAL: Mapping[str, Any] = {"text": "", "versions": "{}", "meta_features": "{}"}
_NULLABLE = frozenset({"value", "strategy_json", "epoch", "epochs", "seconds"})


def _entries(entry: type[Entry], table: pa.Table, read: Mapping[str, Any]) -> list[Any]:
    names, columns = table.column_names, []
    for name in names:
        column = table.column(name).to_pylist()
        if name in read:
            known: dict[Any, Any] = {}
            column = [_read_once(known, read[name], name, value) for value in column]
        elif name not in _NULLABLE and pa.types.is_string(table.schema.field(name).type):
            column = ["" if value is None else value for value in column]
        columns.append(column)
    found = []
    for values in zip(*columns, strict=True):
        # A hundred thousand of them: the constructor of a frozen dataclass takes five times as long.
        one = object.__new__(entry)
        one.__dict__.update(zip(names, values, strict=True))
        found.append(one)
    return found


def _read_once(known: dict[Any, Any], read: Any, name: str, value: Any) -> Any:
    key = tuple(value) if isinstance(value, list) else value
    if key not in known:
        known[key] = read(_USUAL.get(name, value) if value is None else value)
    return known[key]


def _stored(value: Any) -> Any:
    if isinstance(value, Mapping):
        return canonical_json(dict(value))
    return list(value) if isinstance(value, tuple) else value


def _mapping(text: str) -> Mapping[str, Any]:
    found = json.loads(text)
    return found if isinstance(found, dict) else {}


def _tuple(values: Sequence[Any] | None) -> tuple[Any, ...]:
    return tuple(values or ())
