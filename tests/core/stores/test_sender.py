"""Files that go to a store which is away for a while."""

import threading

import pytest
from tests.fixtures.homes import Node

from graft.core.stores import sender as sending
from graft.core.stores.copy import is_there
from graft.core.stores.folder import FolderStorage
from graft.core.stores.sender import Sender
from graft.core.stores.storage import StorageError, StorageFault


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set while the store is away."""
    is_away, upload = threading.Event(), FolderStorage.upload

    def asked(self, *given):
        if is_away.is_set():
            raise StorageError(StorageFault.AWAY, "gone")
        return upload(self, *given)

    monkeypatch.setattr(FolderStorage, "upload", asked)
    monkeypatch.setattr(sending, "NOW_S", 0.0)
    monkeypatch.setattr(sending, "_PAUSE_S", 0.02)
    return is_away


def test_a_file_is_there_at_once(node: Node, folder_home: str) -> None:
    file = node("a", folder_home).root / "weights"
    file.write_text("w")
    with Sender() as sender:
        sender.send(file)
        assert is_there(node("b", folder_home).root / "weights")


def test_a_file_of_a_directory_stays(tmp_path) -> None:
    with Sender() as sender:
        sender.send(tmp_path / "weights")


def test_work_goes_on_while_the_store_is_away_and_all_arrives(
    node: Node, folder_home: str, away: threading.Event
) -> None:
    root = node("a", folder_home).root
    away.set()
    with Sender() as sender:
        for name in ("one", "two", "gone", "two"):
            (root / name).write_text(f"{name} {len(name)}")
            sender.send(root / name)
        (root / "gone").unlink()
        (root / "two").write_text("two, newer")
        away.clear()
    there = node("b", folder_home).root
    assert is_there(there / "one")
    assert not is_there(there / "gone")
    assert (root.parent.parent / "share" / "two").read_text() == "two, newer"


def test_a_file_that_is_deleted_while_it_is_sent_is_forgotten(
    node: Node, folder_home: str, away: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = node("a", folder_home).root
    for name in ("one", "two"):
        (root / name).write_text(name)
    upload = FolderStorage.upload

    def deleting(self, key, file, digest):
        (root / "one").unlink(missing_ok=True)
        return upload(self, key, file, digest)

    away.set()
    with Sender() as sender:
        sender.send(root / "one")
        sender.send(root / "two")
        monkeypatch.setattr(FolderStorage, "upload", deleting)
        away.clear()
    assert is_there(node("b", folder_home).root / "two")


def test_what_does_not_arrive_is_told(
    node: Node, folder_home: str, away: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    file = node("a", folder_home).root / "weights"
    file.write_text("w")
    away.set()
    with Sender(patience=0.1) as sender:
        sender.send(file)
    assert "weights is sent later" in caplog.text
    assert "weights have not reached the store" in caplog.text
