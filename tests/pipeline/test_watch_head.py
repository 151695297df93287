"""A head that is gone is noticed before Ray ends the process."""

import socket
import threading
from collections.abc import Iterator

import pytest

from graft.pipeline import watchers
from graft.pipeline.watchers import answers, watch_head

HANGS_S = 30


@pytest.fixture
def head() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def address(head: socket.socket) -> str:
    return f"127.0.0.1:{head.getsockname()[1]}"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "ASK_S", 0.01)
    monkeypatch.setattr(watchers, "LOST_S", 0.05)


def test_what_listens_answers(head: socket.socket) -> None:
    place = address(head)
    assert answers(place)
    head.close()
    assert not answers(place)


def test_a_head_that_is_gone_is_told_once(head: socket.socket) -> None:
    told: list[str] = []
    is_lost = threading.Event()

    def lost(message: str) -> None:
        told.append(message)
        is_lost.set()

    place = address(head)
    with watch_head(place, lost):
        head.close()
        assert is_lost.wait(HANGS_S)
    assert told == [f"the head of the Ray cluster at {place} does not answer any more"]


def test_a_block_that_ends_ends_the_looking(head: socket.socket) -> None:
    with watch_head(address(head), pytest.fail):
        assert "graft-head-watch" in {thread.name for thread in threading.enumerate()}
    (watcher,) = [one for one in threading.enumerate() if one.name == "graft-head-watch"] or [threading.Thread()]
    if watcher.is_alive():
        watcher.join(HANGS_S)
    assert not watcher.is_alive()
