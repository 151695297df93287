"""What every kind of store keeps to (`core.stores.storage.Storage`)."""

import hashlib
import threading
from pathlib import Path

import pytest
from tests.fixtures.homes import AZURITE, home_in

from graft.core.stores.address import HomeAddress
from graft.core.stores.storage import ConflictError, Storage, StorageError, StorageFault, kept_trying


@pytest.fixture(params=["folder", "s3", "google", "azure", AZURITE])
def storage(request: pytest.FixtureRequest) -> Storage:
    return HomeAddress.of(home_in(request.param, request)).storage()


def test_what_was_written_is_read(storage: Storage) -> None:
    tag = storage.create("a/b", b"hello")
    assert storage.read("a/b") == (b"hello", tag)
    assert storage.read("a/b", start=2) == (b"llo", tag)
    assert storage.read("a/b", start=5) in ((b"", tag), (b"", ""))
    entry = storage.entry("a/b")
    assert entry is not None
    assert (entry.key, entry.size, entry.tag) == ("a/b", 5, tag)


def test_what_is_not_there_is_none(storage: Storage) -> None:
    assert storage.read("nothing") is None
    assert storage.entry("nothing") is None
    assert list(storage.entries("nothing/")) == []
    assert list(storage.folders("nothing/")) == []
    storage.delete("nothing")


def test_a_write_that_somebody_was_quicker_with_does_not_happen(storage: Storage) -> None:
    first = storage.create("lease", b"1")
    with pytest.raises(ConflictError):
        storage.create("lease", b"2")
    second = storage.replace("lease", b"3", first)
    with pytest.raises(ConflictError):
        storage.replace("lease", b"4", first)
    with pytest.raises(ConflictError):
        storage.replace("gone", b"4", first)
    assert storage.read("lease") == (b"3", second)


def test_of_many_who_create_at_once_one_wins(storage: Storage) -> None:
    won: list[tuple[int, int]] = []

    def write(writer: int) -> None:
        for slot in range(8):
            try:
                storage.create(f"slots/{slot:04d}", b"%d" % writer)
            except ConflictError:
                continue
            won.append((slot, writer))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slot for slot, _ in won) == list(range(8))
    assert all(storage.read(f"slots/{slot:04d}")[0] == b"%d" % writer for slot, writer in won)  # type: ignore[index]


def test_of_many_who_replace_at_once_one_wins(storage: Storage) -> None:
    tag, won = storage.create("counter", b"0"), []

    def write(writer: int) -> None:
        try:
            storage.replace("counter", b"by %d" % writer, tag)
        except ConflictError:
            return
        won.append(writer)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert storage.read("counter")[0] == b"by %d" % won[0]


def test_files_go_there_and_back(storage: Storage, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"weights" * 1000)
    tag = storage.upload("w", source, hashlib.sha256(source.read_bytes()).hexdigest())
    entry = storage.download("w", target)
    assert entry is not None
    assert entry.tag == tag
    assert target.read_bytes() == source.read_bytes()
    assert storage.download("nothing", target) is None


def test_entries_come_in_the_order_of_their_keys(storage: Storage) -> None:
    for key in ("j/3", "j/1", "j/2", "k/1", "j/deep/4"):
        storage.create(key, b"")
    assert [one.key for one in storage.entries("j/")] == ["j/1", "j/2", "j/3", "j/deep/4"]
    assert [one.key for one in storage.entries("j/", after="j/1")] == ["j/2", "j/3", "j/deep/4"]
    assert list(storage.folders("")) == ["j", "k"]
    assert list(storage.folders("j/")) == ["deep"]


def test_a_store_that_is_away_is_asked_again_for_so_long() -> None:
    time, asked = [0.0], []

    def ask() -> str:
        asked.append(time[0])
        if time[0] < 30:
            raise StorageError(StorageFault.AWAY, "gone")
        return "here"

    def wait(seconds: float) -> None:
        time[0] += seconds

    assert kept_trying(ask, 60.0, wait, lambda: time[0]) == "here"
    assert len(asked) < 15
    time[0] = 0.0
    with pytest.raises(StorageError, match="gone"):
        kept_trying(ask, 10.0, wait, lambda: time[0])


def test_a_store_that_says_no_is_asked_once() -> None:
    asked = []

    def ask() -> str:
        asked.append(1)
        raise StorageError(StorageFault.DENIED, "no")

    with pytest.raises(StorageError, match="no"):
        kept_trying(ask, 60.0, lambda seconds: None, lambda: 0.0)
    assert len(asked) == 1
