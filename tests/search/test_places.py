"""Which nodes train which trial, as far as reports and Tune's actors say."""

from types import SimpleNamespace
from typing import Any

import pytest

from graft.search import tune_bridge
from graft.search.tune_bridge import Places, are_lost


@pytest.fixture
def actors(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where the head says that actors are."""
    found: dict[str, str] = {}
    monkeypatch.setattr(
        tune_bridge.cluster_state, "actor_table", lambda actor: {"Address": {"NodeID": found[actor]}}, raising=True
    )
    return found


def actor(name: str) -> Any:
    return SimpleNamespace(_actor_id=SimpleNamespace(hex=lambda: name))


def test_a_trial_is_where_its_process_is_until_it_reports(actors: dict[str, str]) -> None:
    places = Places()
    actors["x"] = "a"
    places.begin("t1", actor("x"))
    places.begin("t2", None)
    assert (places.on("a"), places.on("b")) == (["t1"], [])
    places.report("t1", ("b", "c"))
    assert (places.on("a"), places.on("b"), places.on("c")) == ([], ["t1"], ["t1"])
    places.end("t1")
    assert places.on("b") == []


def test_trials_that_have_reported_from_one_node_are_settled(actors: dict[str, str]) -> None:
    places = Places()
    actors["x"] = "a"
    places.begin("t1", actor("x"))
    assert places.settled({"t1"}) == {}
    for trial, nodes in {"t1": ("a",), "t2": ("a",), "t3": ("a", "b"), "t4": ("a",)}.items():
        places.report(trial, nodes)
    assert places.settled({"t1", "t2", "t3"}) == {"a": ["t1", "t2"], "b": []}
    places.begin("t1", actor("x"))
    assert places.settled({"t1", "t2"}) == {"a": ["t2"], "b": []}


def test_where_a_process_died_is_remembered(actors: dict[str, str]) -> None:
    places = Places()
    actors["x"] = "a"
    places.begin("t1", actor("x"))
    assert places.die("t1") == ("a",)
    places.begin("t1", None)
    places.report("t1", ("b",))
    assert (places.on("a"), places.on("b")) == (["t1"], ["t1"])


def test_processes_are_ended_and_their_death_excused_once(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[Any] = []
    monkeypatch.setattr(tune_bridge.ray, "kill", killed.append)
    places, one = Places(), actor("x")
    places.begin("t1", one)
    places.begin_again(["t1", "t9"])
    assert killed == [one]
    assert [places.were_ended("t1"), places.were_ended("t1"), places.were_ended("t9")] == [True, False, False]


@pytest.mark.parametrize(
    ("nodes", "draining", "lost"),
    [(("a",), {}, False), (("a", "b"), {}, True), (("a",), {"a": 1}, True), (("a",), {"c": 1}, False)],
)
def test_nodes_that_are_gone_or_must_go_are_lost(
    nodes: tuple[str, ...], draining: dict[str, int], lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [{"NodeID": "a", "Alive": True}, {"NodeID": "b", "Alive": False}]
    monkeypatch.setattr(tune_bridge.ray, "nodes", lambda: known)
    monkeypatch.setattr(tune_bridge.cluster_state, "get_draining_nodes", lambda: draining)
    assert are_lost(nodes) is lost


def test_nodes_that_trials_have_left_are_known() -> None:
    places = Places()
    for trial, nodes in (("t1", ("a",)), ("t2", ("b",)), ("t3", ("a", "c"))):
        places.report(trial, nodes)
    assert places.settled({"t1", "t2", "t3"}) == {"a": ["t1"], "b": ["t2"], "c": []}
    places.end("t2")
    places.begin("t1", None)
    assert places.settled({"t1"}) == {"a": [], "b": [], "c": []}
