"""What is waited for is told whenever it changes, until something has begun."""

import threading
from pathlib import Path

import pytest

from graft.journal.events import ResourcesAwaited
from graft.journal.journal import Journal, read
from graft.pipeline import watchers
from graft.pipeline.watchers import tell_what_is_awaited

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "FIRST_LOOK_S", 0.0)
    monkeypatch.setattr(watchers, "LOOK_S", 0.0)


def told(tmp_path: Path, answers: list[str]) -> list[str]:
    """What is in the journal when each answer has been given, and then a trial has begun."""
    file, is_over, left = tmp_path / "journal.jsonl", threading.Event(), list(answers)

    def what() -> str:
        return left.pop(0)

    def has_begun() -> bool:
        if not left:
            is_over.set()
        return not left

    with Journal(file) as journal, tell_what_is_awaited(journal, what, has_begun):
        assert is_over.wait(PATIENCE_S)
    return [event.what for _, event in read(file) if isinstance(event, ResourcesAwaited)]


def test_it_is_told_when_it_changes(tmp_path: Path) -> None:
    assert told(tmp_path, ["", "2 CPU", "2 CPU", "1 CPU", "", ""]) == ["2 CPU", "1 CPU", ""]


def test_where_nothing_is_missing_nothing_is_told(tmp_path: Path) -> None:
    assert told(tmp_path, ["", ""]) == []


def test_what_has_begun_asks_no_more(tmp_path: Path) -> None:
    assert told(tmp_path, []) == []


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_a_block_that_ends_ends_the_looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "FIRST_LOOK_S", 3600.0)
    with Journal(tmp_path / "journal.jsonl") as journal, tell_what_is_awaited(journal, lambda: "x", lambda: False):
        assert "graft-waiting" in threads()
    assert "graft-waiting" not in threads()
    assert list(read(tmp_path / "journal.jsonl")) == []
