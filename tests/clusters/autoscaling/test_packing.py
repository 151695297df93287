"""Trials that are left on half-empty nodes move together, so that nodes can leave."""

import math

from graft.clusters.autoscaling.fleet import DRAINED_S, Fleet
from graft.clusters.autoscaling.gang import Gang
from graft.clusters.autoscaling.packing import node_to_empty
from graft.clusters.node_types import ClusterNodes, NodeType

HEAD = NodeType("head", {})


def fleet_of(trials: int, least: int = 0, is_elastic: bool = True) -> Fleet:
    kind = NodeType("gpu", {"GPU": 4}, most=8, least=least)
    cluster = ClusterNodes("aws", HEAD, (kind,), 8, 60.0, is_elastic=is_elastic)
    fleet = Fleet(cluster, Gang(1, {"GPU": 1}), startup_s=0.0)
    for number in range(trials):
        fleet.ask(f"t{number}", 0.0)
    fleet.placed(0.0)
    return fleet


def test_the_node_with_fewest_trials_is_emptied_if_the_others_have_room() -> None:
    assert node_to_empty({"a": 2, "b": 1, "c": 3}, {"a": 2, "b": 3, "c": 1}) == "b"
    assert node_to_empty({"a": 3, "b": 2}, {"a": 1, "b": 2}) is None
    assert node_to_empty({"a": 3}, {"a": 1, "of others": 3}) == "a"
    assert node_to_empty({}, {"a": 4, "b": 4}) is None
    assert node_to_empty({"a": 0}, {"a": 4, "b": 4}) is None, "an empty node has nobody to move"


def test_trials_that_are_left_share_as_few_nodes_as_hold_them() -> None:
    fleet = fleet_of(12)
    for number in (0, 1, 2, 4, 5, 8, 9):
        fleet.leave(f"t{number}", 10.0)
    left = [f"t{number}" for number in (3, 6, 7, 10, 11)]
    assert fleet.pack(20.0, left) == ["t3"], "five trials need two nodes of four"
    assert [node.ended for node in fleet.nodes] == [20.0 + DRAINED_S, math.inf, math.inf]
    assert sorted(trial for node in fleet.nodes for trial in node.used) == sorted(left)
    assert fleet.pack(20.0, left) == []
    fleet.leave("t7", 30.0)
    fleet.pack(30.0, left)
    assert sum(node.ended == math.inf for node in fleet.nodes) == 1, "and four need one"


def test_a_node_whose_trials_have_ended_leaves_at_once_but_for_the_last() -> None:
    fleet = fleet_of(8)
    for number in range(4):
        fleet.leave(f"t{number}", 10.0)
    fleet.pack(10.0, [])
    assert [node.ended for node in fleet.nodes] == [10.0 + DRAINED_S, math.inf]
    for number in range(4, 8):
        fleet.leave(f"t{number}", 20.0)
    fleet.pack(20.0, [])
    assert fleet.nodes[1].ended == math.inf, "the fit takes it"
    kept = fleet_of(8, least=2)
    for number in range(4):
        kept.leave(f"t{number}", 10.0)
    kept.pack(10.0, [])
    assert {node.ended for node in kept.nodes} == {math.inf}


def test_nobody_is_moved_who_must_stay() -> None:
    def half_empty(**given: object) -> Fleet:
        fleet = fleet_of(8, **given)  # type: ignore[arg-type]
        for number in (0, 1, 2, 4, 5, 6):
            fleet.leave(f"t{number}", 10.0)
        return fleet

    assert half_empty().pack(20.0, ["t3", "t7"])
    assert half_empty().pack(20.0, []) == [], "they have not reported since they were moved"
    assert half_empty(least=2).pack(20.0, ["t3", "t7"]) == [], "the autoscaler would bring another"
    assert half_empty(is_elastic=False).pack(20.0, ["t3", "t7"]) == []
