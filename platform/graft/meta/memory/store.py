"""The task memory: appended to by every run, read by every search.

Entries lie in part files that are written once. Appending adds a part; compaction and forgetting write a new part and
then delete the old ones, so that a crash in between leaves entries twice, which a reader counts once. A task that was
forgotten leaves a tombstone: what was measured before stays away, also where another writer still holds it.
"""

import math
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from graft.core.process_identity import user_name
from graft.core.storage import Home
from graft.meta.memory.parts import Damaged, Part, joined, read_parts, write_part
from graft.meta.memory.place import Place, place_of
from graft.meta.memory.records import HeldMemory, Record, Scores, TaskEntry
from graft.meta.memory.schema import (
    FORGOTTEN,
    KINDS,
    RECORDS,
    SCHEMAS,
    SCORES,
    TASKS,
    Entry,
    kind_of,
    to_records,
    to_scores,
    to_table,
    to_tasks,
)
from graft.meta.memory.trust import Reader, possible, weighed

MANY_PARTS = 64


@dataclass(frozen=True)
class Contents:
    """All that a memory holds at a moment, as tables of the schema.

    Attributes:
        tables: kind -> table; entries each once, without what was forgotten.
        own: kind -> bool [N], whether the reader has written them.
        damaged: parts that are left out.
        impossible: entries that are left out because what they say cannot be (`trust.possible`).
        parts: how many part files there are.
    """

    tables: Mapping[str, pa.Table]
    own: Mapping[str, np.ndarray]
    damaged: tuple[Damaged, ...] = ()
    impossible: int = 0
    parts: int = 0

    @property
    def records(self) -> pa.Table:
        """The table of records."""
        return self.tables[RECORDS]

    @property
    def left_out(self) -> list[str]:
        """What is not in the tables, a line each."""
        told = [str(one) for one in self.damaged]
        if self.impossible:
            told.append(
                f"entries that hold what cannot be, such as an accuracy of 1.7, are left out: {self.impossible}"
            )
        return told

    def memory(self, reader: Reader) -> "StoredMemory":
        """The entries with the weight that they have for a reader."""
        records = weighed(self.records, self.own[RECORDS], reader)
        return StoredMemory({**self.tables, RECORDS: records})


@dataclass(frozen=True)
class StoredMemory:
    """A `Memory` out of tables; `table` is for who works with columns."""

    tables: Mapping[str, pa.Table]

    @property
    def table(self) -> pa.Table:
        """The records as a table (`schema.SCHEMAS`)."""
        return self.tables[RECORDS]

    @cached_property
    def _records(self) -> Sequence[Record]:
        return to_records(self.table)

    def records(self) -> Sequence[Record]:
        """See `Memory.records`."""
        return self._records

    def tasks(self) -> Sequence[TaskEntry]:
        """See `Memory.tasks`."""
        return to_tasks(self.tables[TASKS])

    def scores(self) -> Sequence[Scores]:
        """See `Memory.scores`."""
        return to_scores(self.tables[SCORES])

    def held(self) -> HeldMemory:
        """The same as plain values."""
        return HeldMemory(self.records(), self.tasks(), self.scores())


class MemoryStore:
    """The task memory at a place.

    Args:
        place: where its parts lie.
        writer: who appends, for the parts to say.
    """

    def __init__(self, place: Place, writer: str | None = None) -> None:
        self.place = place
        self.writer = writer or f"{user_name()}@{socket.gethostname()}"

    @classmethod
    def find(cls, home: Home, given: str | None = None) -> "MemoryStore | None":
        """The memory of a home, or of ``GRAFT_MEMORY``; None if that is ``off``."""
        place = place_of(home, given)
        return None if place is None else cls(place)

    def append(self, entries: Iterable[Entry]) -> int:
        """Add entries, safe beside any other writer; returns how many.

        Raises:
            ResourceError: the place cannot be written.
        """
        now = time.time()
        by_kind: dict[str, list[Entry]] = {}
        for entry in entries:
            dated = entry if entry.written_at else replace(entry, written_at=now)
            by_kind.setdefault(kind_of(entry), []).append(dated)
        for kind in KINDS:
            if kind in by_kind:
                write_part(self.place, kind, to_table(kind, by_kind[kind]), self.writer)
        return sum(map(len, by_kind.values()))

    def contents(self) -> Contents:
        """Everything, checked; whoever shows it says what is left out.

        Raises:
            ResourceError: the place does not answer.
        """
        forgotten = self._forgotten()
        tables: dict[str, pa.Table] = {}
        own: dict[str, np.ndarray] = {}
        damaged: list[Damaged] = []
        count, impossible = 0, 0
        for kind in KINDS:
            parts, wrong = self._parts(kind)
            count, damaged = count + len(parts), damaged + wrong
            table, is_own = joined(kind, parts)
            kept = forgotten.spares(table, is_own)
            sound = possible(kind, table)
            impossible, kept = impossible + int((kept & ~sound).sum()), kept & sound
            tables[kind], own[kind] = table.filter(pa.array(kept)), is_own[kept]
        return Contents(tables, own, tuple(damaged), impossible, count)

    def forget(self, task: str) -> int:
        """Delete all that this user knows of a task; returns how many entries are no longer read.

        What was measured before now does not come back, from no journal. What others have written on a shared place
        stays there, and is no longer read by anybody who trusts this user's parts.

        Raises:
            ResourceError: the place cannot be changed.
        """
        known = self.contents()
        went = sum(int(_is_of(table, task).sum()) for table in known.tables.values())
        stone = pa.table({"task": [task], "written_at": [time.time()]}, schema=SCHEMAS[FORGOTTEN])
        write_part(self.place, FORGOTTEN, stone, self.writer)
        with self.place.alone():
            for kind in KINDS:
                for part in self._parts(kind)[0]:
                    if part.is_own and _is_of(part.table, task).any():
                        self._rewrite(kind, [part])
        return went

    def compact(self) -> int:
        """Put the parts of each kind that this user wrote into one, if there are many; returns how many went.

        Parts of others stay as they are: whose a record is must not change.
        """
        gone = 0
        with self.place.alone():
            for kind in KINDS:
                own = [part for part in self._parts(kind)[0] if part.is_own]
                if len(own) > MANY_PARTS:
                    self._rewrite(kind, own)
                    gone += len(own) - 1
        return gone

    def _rewrite(self, kind: str, parts: list[Part]) -> None:
        table, is_own = joined(kind, parts)
        kept = table.filter(pa.array(self._forgotten().spares(table, is_own)))
        if kept.num_rows:
            write_part(self.place, kind, kept, self.writer)
        for part in parts:
            self.place.remove(kind, part.name)

    def _parts(self, kind: str) -> tuple[list[Part], list[Damaged]]:
        found = list(read_parts(self.place, kind, self.writer))
        return [one for one in found if isinstance(one, Part)], [one for one in found if isinstance(one, Damaged)]

    def _forgotten(self) -> "_Forgotten":
        found = _Forgotten({}, {})
        for part in self._parts(FORGOTTEN)[0]:
            times = found.own if part.is_own else found.by_others
            for task, at in zip(
                part.table.column("task").to_pylist(), part.table.column("written_at").to_pylist(), strict=True
            ):
                times[task] = max(times.get(task, 0.0), at)
        return found


@dataclass(frozen=True)
class _Forgotten:
    """When tasks were forgotten: by this user, and by others, who have no say in this user's records."""

    own: dict[str, float]
    by_others: dict[str, float]

    def spares(self, table: pa.Table, is_own: np.ndarray) -> np.ndarray:
        """bool [N]: which entries are still known."""
        if not (self.own or self.by_others):
            return np.ones(table.num_rows, dtype=bool)
        tasks, never = table.column("task").to_pylist(), -math.inf
        own = np.array([self.own.get(task, never) for task in tasks], dtype=float)
        others = np.array([self.by_others.get(task, never) for task in tasks], dtype=float)
        at = np.where(is_own, own, np.maximum(own, others))
        times = table.column("written_at").fill_null(0.0).to_numpy(zero_copy_only=False)
        spared: np.ndarray = times > at
        return spared


def _is_of(table: pa.Table, task: str) -> np.ndarray:
    return np.array([one == task for one in table.column("task").to_pylist()], dtype=bool)
