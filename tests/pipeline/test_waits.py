"""Who waits says for whom, and does not wait for ever."""

import threading
from pathlib import Path

import pytest

from graft.core.errors import StoreBusyError, TrackingError
from graft.journal.events import ResourcesAwaited
from graft.journal.journal import Journal, read
from graft.pipeline.waits import again_while, telling_long_wait, telling_silent_store


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def elapsed(self) -> float:
        return self.time


def told(file: Path) -> list[str]:
    return [event.what for _, event in read(file) if isinstance(event, ResourcesAwaited)]


def test_a_long_wait_is_told_with_its_end(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    asked = threading.Event()

    def for_whom() -> str:
        asked.set()
        return "for the store"

    with Journal(file) as journal, telling_long_wait(journal, for_whom, patience=0.0):
        asked.wait()
    assert told(file) == ["for the store", ""]


def test_a_short_wait_is_not_told(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    with Journal(file) as journal, telling_long_wait(journal, lambda: "never", patience=3600.0):
        pass
    assert told(file) == []


def test_an_error_ends_the_wait(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    with Journal(file) as journal, pytest.raises(TrackingError), telling_long_wait(journal, lambda: "", patience=3600):
        raise TrackingError("no")


def test_a_busy_store_is_asked_again() -> None:
    clock, answers = Clock(), [StoreBusyError("locked"), StoreBusyError("locked"), None]

    def ask() -> str:
        clock.time += 20.0
        problem = answers.pop(0)
        if problem is not None:
            raise problem
        return "registered"

    assert again_while(StoreBusyError, ask, clock, 300.0) == "registered"


def test_a_store_that_stays_busy_is_given_up() -> None:
    clock = Clock()

    def ask() -> str:
        clock.time += 20.0
        raise StoreBusyError(f"locked after {clock.time:.0f} s")

    with pytest.raises(StoreBusyError, match="locked after 60 s"):
        again_while(StoreBusyError, ask, clock, 60.0)


def test_another_error_is_not_asked_again() -> None:
    def ask() -> str:
        raise TrackingError("refused")

    with pytest.raises(TrackingError, match="refused"):
        again_while(StoreBusyError, ask, Clock(), 60.0)


def test_a_store_that_does_not_answer_is_told_until_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, journaled = tmp_path / "journal.jsonl", threading.Event()
    monkeypatch.setattr(
        "graft.data.remote.listing.silence", lambda source: f"{source.decode()}, which cannot be reached (cut)"
    )
    with Journal(file) as journal:
        journal.subscribe(lambda event: journaled.set())
        with telling_silent_store(journal, b"s3://b/x", patience=0.001) as progress:
            journaled.wait()
            progress(1, 2)
        assert told(file)[:2] == ["for s3://b/x, which cannot be reached (cut); reading goes on when it answers", ""]
        assert told(file)[-1] == ""


def test_a_slow_store_and_a_disk_are_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, asked = tmp_path / "journal.jsonl", threading.Event()

    def silence(source: bytes) -> None:
        asked.set()

    monkeypatch.setattr("graft.data.remote.listing.silence", silence)
    with Journal(file) as journal:
        with telling_silent_store(journal, b"s3://b/x", patience=0.001):
            asked.wait()
        asked.clear()
        with telling_silent_store(journal, b"/a/b.png", patience=0.0) as progress:
            progress(1, 2)
    assert told(file) == []
    assert not asked.is_set()
