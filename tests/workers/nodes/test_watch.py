"""Nodes are looked at by their ports; what Ray says of them is given."""

import queue
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from graft.workers.nodes import watch
from graft.workers.nodes.judge import NodeNews, NodeState

HANGS_S = 30


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """One node, which listens: change what is said of it here."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        said = {"NodeID": "a", "Alive": True, "NodeManagerAddress": "127.0.0.1", "NodeManagerPort": port}
        said |= {"NodeManagerHostname": "here", "listening": listening, "leaving": {}}
        monkeypatch.setattr(watch.ray, "nodes", lambda: [said])
        monkeypatch.setattr(watch.cluster_state, "get_draining_nodes", lambda: said["leaving"])
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
        yield said


def test_a_node_that_listens_answers(nodes: dict[str, Any]) -> None:
    assert watch.look()["a"].answers
    nodes["listening"].close()
    assert not watch.look()["a"].answers


def test_when_a_node_leaves_is_told_in_seconds_from_now(nodes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch.time, "time", lambda: 1000.0)
    nodes["leaving"] = {"a": 1_030_000, "b": 0, "c": 999_000}
    assert watch.leaving_nodes() == {"a": 30.0, "b": 0.0, "c": 0.0}
    assert watch.look()["a"].leaves_in == 30.0


def test_whoever_watches_hears_of_it(nodes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.01)
    heard: queue.Queue[NodeNews] = queue.Queue()
    nodes["leaving"] = {"a": 1}
    with watch.watch_nodes(heard.put):
        assert heard.get(timeout=HANGS_S).state is NodeState.LEAVING
        nodes["Alive"] = False
        assert heard.get(timeout=HANGS_S).state is NodeState.GONE


def test_a_session_of_ones_own_is_not_watched(nodes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS")
    monkeypatch.setattr(watch.threading, "Thread", pytest.fail)
    with watch.watch_nodes(pytest.fail):
        pass
