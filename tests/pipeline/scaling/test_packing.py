"""Which node of a growing cluster graft empties."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from ray.exceptions import RaySystemError

from graft.clusters.node_types import ACCELERATOR, ClusterNodes, NodeType
from graft.pipeline.scaling import packing
from graft.pipeline.scaling.packing import MOVED, packing_of, to_empty, to_let_go
from graft.workers.allocation import Allocation
from graft.workers.nodes.draining import NodeUse

L4 = {ACCELERATOR: "L4"}
CLUSTER = ClusterNodes(
    "aws",
    NodeType("head", {"CPU": 8}),
    (NodeType("gpu", {"CPU": 8, "GPU": 4}, L4, most=4), NodeType("kept", {"CPU": 8, "GPU": 4}, L4, most=2, least=1)),
    6,
    60.0,
)
SHARE = Allocation(cpus=2.0, gpus=1.0, concurrent=8)


def node(name: str, trials: int, kind: str = "gpu", cpus: float = 0.0, gpus: float = 0.0) -> NodeUse:
    """One with so many trials, and with what others use."""
    return NodeUse(name, kind, {"CPU": 8.0, "GPU": 4.0}, {"CPU": 2.0 * trials + cpus, "GPU": trials + gpus})


@pytest.mark.parametrize(
    ("trials", "nodes", "expected"),
    [
        ({"a": ["t1"], "b": ["t2", "t3"]}, [node("a", 1), node("b", 2)], "a"),
        ({"a": ["t1", "t2"], "b": ["t3", "t4", "t5"]}, [node("a", 2), node("b", 3)], None),
        ({"b": ["t2", "t3"]}, [node("a", 1), node("b", 2)], "b"),
        ({"a": ["t1"]}, [node("a", 1)], None),
        ({"a": ["t1"], "b": ["t2", "t3"]}, [node("a", 1, cpus=1.0), node("b", 2)], "b"),
        ({"a": ["t1"], "b": ["t2"]}, [node("a", 1, kind="kept"), node("b", 1, kind="kept")], None),
        ({"a": ["t1"]}, [node("a", 1), node("head", 0, kind="head", cpus=1.0)], None),
        ({"a": ["t1"]}, [node("a", 1), node("b", 0, gpus=2.0)], "a"),
    ],
    ids=[
        "fewest",
        "no room",
        "one of a's has not reported yet",
        "no other node",
        "somebody else is on a",
        "the autoscaler would bring others",
        "the head takes no trials",
        "room beside another job",
    ],
)
def test_a_node_is_emptied_whose_trials_have_room_elsewhere(
    trials: Mapping[str, Sequence[str]], nodes: list[NodeUse], expected: str | None
) -> None:
    assert to_empty(trials, nodes, SHARE, CLUSTER) == expected


def test_only_nodes_of_the_right_kind_take_trials() -> None:
    share = Allocation(2.0, 1.0, 8, gpu_type="L4")
    plain = ClusterNodes("aws", CLUSTER.head, (*CLUSTER.workers, NodeType("other", {"GPU": 4}, most=2)), 8, 60.0)
    trials = {"a": ["t1"]}
    assert to_empty(trials, [node("a", 1), node("b", 1, kind="other")], share, plain) is None
    assert to_empty(trials, [node("a", 1), node("b", 1, kind="kept")], share, plain) == "a"


def idle(name: str, kind: str = "gpu") -> NodeUse:
    return replace(node(name, 0, kind=kind), is_idle=True)


@pytest.mark.parametrize(
    ("seen", "nodes", "expected"),
    [
        ("ab", [node("a", 1), idle("b")], ["b"]),
        ("a", [node("a", 1), idle("b")], []),
        ("ab", [idle("a"), idle("b")], []),
        ("ab", [idle("a"), idle("b"), node("c", 1)], []),
        ("ab", [node("a", 1), idle("b", kind="kept")], []),
        ("abc", [node("a", 1), node("b", 0, cpus=1.0), idle("c")], ["c"]),
    ],
    ids=[
        "ended",
        "somebody else's",
        "the fit comes",
        "only others work",
        "the autoscaler would bring others",
        "in use",
    ],
)
def test_an_idle_node_of_this_search_is_let_go(seen: str, nodes: list[NodeUse], expected: list[str]) -> None:
    assert to_let_go(set(seen), nodes, CLUSTER) == expected


@pytest.mark.parametrize(("is_one_enough", "expected"), [(True, ["b"]), (False, [])])
def test_nodes_are_let_go_when_the_fit_needs_one(
    is_one_enough: bool, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []
    monkeypatch.setattr(packing, "nodes_there", lambda: [node("a", 1), idle("b"), idle("of others")])
    monkeypatch.setattr(packing, "drain", lambda name: False)
    monkeypatch.setattr(packing, "let_go", gone.append)
    packing_of(SHARE, CLUSTER, lambda *one: None, is_one_enough)({"a": ["t1"], "b": []})
    assert gone == expected


@pytest.fixture
def drained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(packing, "nodes_there", lambda: [node("a", 1), node("b", 2)])
    monkeypatch.setattr(packing, "drain", lambda name: not found.append(name))
    return found


def test_trials_that_move_are_told_of(drained: list[str]) -> None:
    told: list[tuple[str, str]] = []
    packing_of(SHARE, CLUSTER, lambda *one: told.append(one))({"a": ["t1"], "b": ["t2", "t3"]})
    assert (drained, told) == (["a"], [("t1", MOVED)])


def test_a_node_that_ray_does_not_drain_keeps_its_trials(drained: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    pack = packing_of(SHARE, CLUSTER, lambda *one: told.append(one))
    monkeypatch.setattr(packing, "drain", lambda name: False)
    pack({"a": ["t1"], "b": ["t2", "t3"]})

    def away() -> list[NodeUse]:
        raise RaySystemError("the head is away")

    monkeypatch.setattr(packing, "nodes_there", away)
    pack({"a": ["t1"], "b": ["t2", "t3"]})
    assert told == []


@pytest.mark.parametrize(
    ("share", "cluster"),
    [
        (SHARE, None),
        (Allocation(4.0, 2.0, 4, workers=2), CLUSTER),
        (SHARE, ClusterNodes("local", CLUSTER.head, CLUSTER.workers, 6, 0.0, is_elastic=False)),
    ],
    ids=["unknown nodes", "groups", "machines that stay"],
)
def test_elsewhere_nothing_is_emptied(drained: list[str], share: Allocation, cluster: ClusterNodes | None) -> None:
    packing_of(share, cluster, lambda *one: None)({"a": ["t1"], "b": ["t2", "t3"]})
    assert drained == []
