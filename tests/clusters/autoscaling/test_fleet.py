"""Nodes come when something waits, and leave when they are idle."""

import math

import pytest

from graft.clusters.autoscaling.bill import bill, nodes_over_time
from graft.clusters.autoscaling.fleet import Fleet
from graft.clusters.autoscaling.gang import Gang
from graft.clusters.node_types import ACCELERATOR, ClusterNodes, NodeType
from graft.clusters.prices import Prices

CPU_NODE = NodeType("data", {"CPU": 4, "data": 1}, most=2)
GPU_NODE = NodeType("gpu", {"CPU": 4, "GPU": 2}, {ACCELERATOR: "A10G"}, most=2)
SPOT_NODE = NodeType("spot", {"CPU": 4, "GPU": 2}, {ACCELERATOR: "L4"}, most=3, is_spot=True, priority=1)
HEAD = NodeType("head", {"CPU": 0})
GANG = Gang(1, {"CPU": 1, "GPU": 1})


def cluster(*kinds: NodeType, most: int = 10, idle: float = 100.0) -> ClusterNodes:
    return ClusterNodes("aws", HEAD, kinds or (CPU_NODE, GPU_NODE, SPOT_NODE), most, idle)


def counts(fleet: Fleet, now: float) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in fleet.nodes:
        if node.launched <= now < node.ended:
            found[node.kind.name] = found.get(node.kind.name, 0) + 1
    return found


def test_a_node_comes_takes_as_many_as_it_holds_and_leaves() -> None:
    fleet = Fleet(cluster(), GANG, startup_s=30)
    for name in ("a", "b", "c"):
        fleet.ask(name, 0.0)
    assert (fleet.placed(0.0), counts(fleet, 0.0)) == ([], {"spot": 2})
    assert fleet.next_change() == 30
    assert fleet.placed(30.0) == ["a", "b", "c"]
    assert fleet.next_change() == math.inf
    fleet.leave("c", 40.0)
    fleet.leave("a", 50.0)
    assert counts(fleet, 139.0) == {"spot": 2}
    fleet.ask("d", 145.0)
    assert fleet.placed(145.0) == ["d"], "there was room beside b"
    assert counts(fleet, 145.0) == {"spot": 1}, "the other has been idle since 40"
    fleet.clear(200.0)
    assert fleet.end(200.0) == 300.0


def test_what_needs_no_gpu_brings_none() -> None:
    fleet = Fleet(cluster(), Gang(1, {"CPU": 1}), startup_s=0)
    for name in "abcd":
        fleet.ask(name, 0.0)
    assert counts(fleet, 0.0) == {"data": 1}


def test_the_higher_priority_comes_first_then_the_others() -> None:
    fleet = Fleet(cluster(), GANG, startup_s=0)
    for number in range(8):
        fleet.ask(f"t{number}", 0.0)
    assert counts(fleet, 0.0) == {"spot": 3, "gpu": 1}


def test_labels_are_kept_to() -> None:
    fleet = Fleet(cluster(), Gang(1, {"GPU": 1}, labels={ACCELERATOR: "A10G"}), startup_s=0)
    fleet.ask("a", 0.0)
    assert counts(fleet, 0.0) == {"gpu": 1}


@pytest.mark.parametrize(("most", "of_job"), [(2, None), (10, 2)])
def test_there_are_no_more_nodes_than_the_cluster_or_the_job_allows(most: int, of_job: int | None) -> None:
    fleet = Fleet(cluster(most=most), GANG, 0.0, of_job)
    for number in range(8):
        fleet.ask(f"t{number}", 0.0)
    assert counts(fleet, 0.0) == {"spot": 2}
    assert len(fleet.placed(0.0)) == 4
    fleet.leave("t0", 10.0)
    assert fleet.placed(10.0) == ["t4"]


def test_half_a_gang_brings_nothing() -> None:
    fleet = Fleet(cluster(SPOT_NODE, most=2), Gang(5, {"GPU": 1}), 0.0)
    fleet.ask("a", 0.0)
    assert counts(fleet, 0.0) == {}


def test_what_is_paid() -> None:
    shape = cluster(SPOT_NODE)
    fleet = Fleet(shape, GANG, startup_s=100)
    fleet.ask("a", 0.0)
    fleet.placed(100.0)
    fleet.leave("a", 3500.0)
    end = fleet.end(3500.0)
    assert end == 3600.0
    prices = Prices("2026-01-01", "EUR", 100, {}, {"spot": {"spot": 0.5}, "head": {"on_demand": 0.1}})
    paid = bill(fleet.nodes, shape, prices, end)
    assert (paid.total, paid.node_seconds) == (pytest.approx(0.6), {"spot": 3600.0})
    over_time = nodes_over_time(fleet.nodes, ["spot"], end)
    assert [(one.seconds, one.nodes) for one in over_time] == [(0.0, {"spot": 1}), (3600.0, {"spot": 0})]
    without = bill(fleet.nodes, shape, Prices("", "", 0, {}, {}), end)
    assert without.total is None
