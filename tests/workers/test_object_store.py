"""The object store fits where it lies, also in a small container."""

from pathlib import Path

import pytest

from graft.workers import object_store as module
from graft.workers.object_store import LEAST, MB, MOST, machine_memory, object_store_here, plan_object_store


def test_on_a_usual_machine_it_is_a_quarter_of_the_memory() -> None:
    assert plan_object_store(8192 * MB, 4096 * MB) == module.ObjectStore(2048 * MB)


def test_it_takes_no_more_than_it_needs() -> None:
    assert plan_object_store(10**12, 10**12).bytes == MOST


def test_it_leaves_half_of_the_shared_memory() -> None:
    assert plan_object_store(8192 * MB, 1024 * MB) == module.ObjectStore(512 * MB)


@pytest.mark.parametrize("shared", [0, 64 * MB, 199 * MB])
def test_in_a_container_with_little_shared_memory_it_lies_on_the_disk_and_says_so(shared: int) -> None:
    store = plan_object_store(2048 * MB, shared)
    assert (store.bytes, store.is_on_disk) == (512 * MB, True)
    assert store.note.startswith(f"/dev/shm has {shared // MB} MB, so Ray's 512 MB of shared objects are on the disk")
    assert "--shm-size=1g" in store.note


def test_a_small_machine_gets_the_least_that_ray_takes() -> None:
    assert plan_object_store(200 * MB, 1024 * MB).bytes == LEAST


def test_without_shared_memory_the_disk_is_as_it_should_be() -> None:
    assert plan_object_store(8192 * MB, None) == module.ObjectStore(2048 * MB)


@pytest.mark.parametrize(("text", "expected"), [("536870912\n", 512 * MB), ("max\n", None), ("", None)])
def test_the_limit_of_a_container_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: int | None
) -> None:
    monkeypatch.setattr(module, "_LIMITS", ())
    machine = machine_memory()
    limit = tmp_path / "memory.max"
    limit.write_text(text)
    monkeypatch.setattr(module, "_LIMITS", (tmp_path / "not there", limit))
    assert machine_memory() == (expected or machine)


def test_here_it_fits() -> None:
    store = object_store_here()
    assert LEAST <= store.bytes <= MOST
