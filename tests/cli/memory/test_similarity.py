import pytest

from graft.meta.memory.place import LocalPlace
from graft.meta.memory.records import TaskEntry
from graft.meta.memory.store import MemoryStore


@pytest.fixture
def memory(tmp_path):
    """A memory of two tasks."""
    store = MemoryStore(LocalPlace(tmp_path / "memory"))
    meta = {"log_rows": 2.0}
    store.append([TaskEntry(name, "image", "classification", 100, 3, meta, title=name.upper()) for name in ("a", "b")])
    return tmp_path / "memory"


def test_the_map_has_every_task(graft, memory, tmp_path):
    told = graft("memory", "map", "--memory", memory, "--picture", tmp_path / "map.svg", "--json").json
    assert {one["task"] for one in told["tasks"]} == {"a", "b"}
    assert b"<svg" in (tmp_path / "map.svg").read_bytes()
    assert graft("memory", "map", "--memory", memory).out.endswith("2 tasks\n")


def test_a_picture_needs_a_name_that_says_its_kind(graft, memory, tmp_path):
    done = graft("memory", "map", "--memory", memory, "--picture", tmp_path / "map.doc")
    assert (done.exit_code, "must end in .png, .svg, .pdf" in done.err) == (2, True)


def test_the_map_of_nothing_is_empty(graft, tmp_path):
    assert graft("memory", "map", "--memory", tmp_path / "none").out == "0 tasks\n"


def test_a_job_that_is_wrong_is_refused_before_anything_is_looked_at(graft, memory, job_file):
    done = graft("memory", "embed", job_file("name: x\ndata: nothing\n"), "--memory", memory)
    assert done.exit_code == 2
