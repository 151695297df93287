import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from graft.core.errors import ResourceError, SpecError
from graft.core.storage import Home
from graft.meta.memory import store as store_module
from graft.meta.memory.place import LocalPlace, RemotePlace, place_of
from graft.meta.memory.records import Scores, TrialState
from graft.meta.memory.schema import RECORDS, VERSION_KEY
from graft.meta.memory.store import MemoryStore
from graft.meta.memory.trust import Reader

READER = Reader(now=1000.0)


def parts_of(store: MemoryStore, kind: str = RECORDS) -> list[Path]:
    return sorted((Path(str(store.place)) / kind).glob("*.parquet"))


class Strangers:
    """A place of which no part is one's own."""

    def __init__(self, place: LocalPlace) -> None:
        self._place = place

    def __getattr__(self, name):
        return getattr(self._place, name)

    def __str__(self) -> str:
        return str(self._place)

    def is_own(self, kind: str, name: str) -> bool:
        return False


def test_an_empty_memory_holds_nothing(store):
    held = store.contents()
    assert (held.parts, held.left_out) == (0, [])
    memory = held.memory(READER)
    assert (list(memory.records()), list(memory.tasks()), list(memory.scores())) == ([], [], [])


def test_what_was_appended_comes_back(store, record, entry):
    records = [
        record(epoch=1, strategy_json='{"lr": 0.1}', versions={"torch": "2.14.1"}, seconds=3.5, epochs=4),
        record(epoch=2, value=0.6),
        record(trial="run/t02", epoch=None, value=None, state=TrialState.FAILED),
    ]
    task = entry(embedding=(0.5, 1.0), embedding_version="1:x", meta_features={"rows": 4.6}, output_names=("a", "b"))
    score = Scores("cats", "mobilenet_v2", "logme", 1.5, "import:x", 1000.0)
    assert store.append([*records, task, score]) == 5
    memory = store.contents().memory(READER)
    assert list(memory.records()) == records
    assert memory.records()[0].strategy == {"lr": 0.1}
    assert list(memory.tasks()) == [task]
    assert list(memory.scores()) == [score]


def test_the_same_record_is_kept_once_and_the_later_one_counts(store, record):
    store.append([record(value=0.5)])
    store.append([record(value=0.5), record(value=0.7, state=TrialState.STOPPED)])
    (held,) = store.contents().memory(READER).records()
    assert (held.value, held.state) == (0.7, TrialState.STOPPED)


def test_two_writers_lose_nothing(store, record):
    def write(writer: int) -> None:
        for place in range(10):
            store.append([record(trial=f"{writer}/{place}")])

    threads = [threading.Thread(target=write, args=(one,)) for one in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(store.contents().memory(READER).records()) == 20


def test_a_damaged_part_is_left_out_counted_and_told_in_a_line(store, record):
    store.append([record(trial="a")])
    store.append([record(trial="b")])
    parts_of(store)[0].write_bytes(parts_of(store)[1].read_bytes()[:-40])
    held = store.contents()
    assert [one.trial for one in held.memory(READER).records()] == ["b"]
    (line,) = held.left_out
    assert line == (
        f"records/{parts_of(store)[0].name} is left out: it is damaged, no whole Parquet file; delete it, and "
        "`graft memory sync` brings back what journals tell"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "is left out"), (b"PAR1 nonsense PAR1", "is left out")],
)
def test_what_is_no_parquet_is_left_out(store, record, content, told):
    store.append([record()])
    (Path(str(store.place)) / RECORDS / "0-x.parquet").write_bytes(content)
    held = store.contents()
    assert len(held.memory(READER).records()) == 1
    assert told in held.left_out[0]


def test_a_pipe_among_the_parts_is_not_waited_for(store, record):
    store.append([record()])
    os.mkfifo(Path(str(store.place)) / RECORDS / "0-x.parquet")
    held = store.contents()
    assert len(held.memory(READER).records()) == 1
    assert held.left_out == ["records/0-x.parquet is left out: it cannot be read (is a pipe, a device or a socket)"]


def test_a_part_of_another_version_is_left_out(store, record):
    store.append([record()])
    (part,) = parts_of(store)
    table = pq.read_table(part)
    pq.write_table(table.replace_schema_metadata({VERSION_KEY: b"2"}), part)
    held = store.contents()
    assert held.records.num_rows == 0
    assert held.left_out == [f"records/{part.name} is left out: it has schema version 2, but this graft reads 1"]


def test_columns_that_a_later_version_added_do_not_disturb_and_missing_ones_are_unknown(store, record):
    store.append([record()])
    (part,) = parts_of(store)
    table = pq.read_table(part).drop_columns(["device", "seconds"]).append_column("new", pa.array([1]))
    pq.write_table(table, part)
    (held,) = store.contents().memory(READER).records()
    assert (held.device, held.seconds, held.value) == ("", None, 0.5)


def test_a_column_of_another_type_is_damage(store, record):
    store.append([record()])
    (part,) = parts_of(store)
    table = pq.read_table(part)
    for of in (pa.array(["much"]), pa.array([{"a": 1}])):
        pq.write_table(table.set_column(6, "value", of), part)
        assert "columns of other types" in store.contents().left_out[0]


@pytest.mark.parametrize(
    "changes", [{"value": 1.7}, {"value": float("nan")}, {"seconds": -1.0}, {"task": ""}, {"strategy_json": "{"}]
)
def test_records_that_cannot_be_are_left_out_and_counted(store, record, changes):
    store.append([record(trial="good"), record(trial="bad", **changes)])
    held = store.contents()
    assert [one.trial for one in held.memory(READER).records()] == ["good"]
    assert held.left_out == ["entries that hold what cannot be, such as an accuracy of 1.7, are left out: 1"]


def test_a_forgotten_task_is_gone_from_the_disk_too(store, record, entry):
    store.append([record(), record(task="dogs", trial="d"), entry(), Scores("cats", "x", "logme", 1.0)])
    assert store.forget("cats") == 3
    memory = store.contents().memory(READER)
    assert [one.task for one in memory.records()] == ["dogs"]
    assert (list(memory.tasks()), list(memory.scores())) == ([], [])
    assert not any(b"cats" in one.read_bytes() for one in Path(str(store.place)).glob("[rts]*/*.parquet"))


def test_what_was_measured_before_it_was_forgotten_does_not_come_back(store, record):
    store.append([record()])
    store.forget("cats")
    store.append([record()])
    assert store.contents().records.num_rows == 0
    store.append([record(written_at=0.0)])  # measured now
    assert store.contents().records.num_rows == 1


def test_compaction_keeps_everything(store, record, monkeypatch):
    monkeypatch.setattr(store_module, "MANY_PARTS", 3)
    for place in range(5):
        store.append([record(trial=str(place))])
    before = list(store.contents().memory(READER).records())
    assert store.compact() == 4
    assert len(parts_of(store)) == 1
    assert list(store.contents().memory(READER).records()) == before
    assert store.compact() == 0


def test_a_crash_between_the_two_halves_of_a_compaction_changes_nothing(store, record, monkeypatch):
    monkeypatch.setattr(store_module, "MANY_PARTS", 1)
    for place in range(3):
        store.append([record(trial=str(place))])
    before = list(store.contents().memory(READER).records())

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalPlace, "remove", dies)
    with pytest.raises(KeyboardInterrupt):
        store.compact()
    assert len(parts_of(store)) == 4
    assert sorted(store.contents().memory(READER).records(), key=lambda one: one.trial) == before


def test_parts_of_strangers_are_neither_rewritten_nor_deleted(store, record, monkeypatch):
    monkeypatch.setattr(store_module, "MANY_PARTS", 1)
    store.append([record()])
    store.append([record(trial="b")])
    theirs = parts_of(store)
    mine = MemoryStore(Strangers(store.place), "me@here")
    assert mine.compact() == 0
    mine.forget("cats")
    assert parts_of(store) == theirs


def test_a_stranger_cannot_make_one_forget(store, record):
    store.append([record()])

    class Mixed(Strangers):
        def is_own(self, kind: str, name: str) -> bool:
            return kind == RECORDS

    shared = MemoryStore(Mixed(store.place), "me@here")
    store.forget("dogs")
    MemoryStore(store.place, "them@there")
    store.append([record(trial="other")])
    assert shared.contents().records.num_rows == 2
    shared.forget("cats")  # its tombstone is a stranger's, as this place tells it
    assert shared.contents().records.num_rows == 2


def test_a_stranger_displaces_no_task_of_ones_own(store, entry):
    class ByWriter(Strangers):
        def is_own(self, kind: str, name: str) -> None:
            return None

    place = ByWriter(store.place)
    MemoryStore(place, "me@here").append([entry(rows=100)])
    MemoryStore(place, "them@there").append([entry(rows=5)])
    mine = MemoryStore(place, "me@here").contents()
    assert [one.rows for one in mine.memory(READER).tasks()] == [100]


def test_an_object_store_holds_a_memory_as_well(tmp_path, record):
    place = RemotePlace(
        "s3://bucket/memory", fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()), "bucket/memory"
    )
    mine, theirs = MemoryStore(place, "me@here"), MemoryStore(place, "them@there")
    mine.append([record()])
    theirs.append([record(trial="x")])
    held = mine.contents()
    assert held.own[RECORDS].tolist() == [True, False]
    mine.forget("cats")
    assert mine.contents().records.num_rows == 0


def test_the_place_is_that_of_the_home_unless_another_is_named(tmp_path, monkeypatch):
    home = Home(tmp_path)
    monkeypatch.delenv("GRAFT_MEMORY", raising=False)
    assert str(place_of(home)) == str(tmp_path / "memory")
    monkeypatch.setenv("GRAFT_MEMORY", str(tmp_path / "shared"))
    assert str(place_of(home)) == str(tmp_path / "shared")
    monkeypatch.setenv("GRAFT_MEMORY", "OFF")
    assert place_of(home) is None
    with pytest.raises(SpecError, match="cannot be written; name a directory"):
        place_of(home, "https://example.org/memory")


def test_a_place_that_cannot_be_written_says_so_in_a_line(tmp_path, record):
    (tmp_path / "file").write_text("")
    store = MemoryStore(LocalPlace(tmp_path / "file"))
    with pytest.raises(ResourceError, match=r"task memory .* cannot be written .*GRAFT_MEMORY=off"):
        store.append([record()])
