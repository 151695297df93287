"""How a machine or a cluster is divided among trials; what can never be had is told in one line."""

from typing import Any

import pytest

from graft.core.errors import ResourceError
from graft.spec.resources import ResourcesSpec
from graft.spec.training import FitSpec
from graft.workers.allocation import Allocation, ClusterResources, Node, allocate, allocate_fit, on_whole_nodes


def cluster(*nodes: tuple[float, float], can_grow: bool = False) -> ClusterResources:
    return ClusterResources(tuple(Node(cpus, gpus) for cpus, gpus in nodes), can_grow)


def refusal(spec: dict[str, Any], *nodes: tuple[float, float]) -> str:
    with pytest.raises(ResourceError) as caught:
        allocate(ResourcesSpec(**spec), cluster(*nodes), trials=4)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("spec", "machine", "expected"),
    [
        ({}, (2, 0), (1, 0, 2)),
        ({}, (16, 0), (4, 0, 4)),  # only four trials: they share all CPUs
        ({}, (8, 2), (4, 1, 2)),  # a GPU each, the CPUs divided
        ({"gpus_per_worker": 0.5}, (8, 2), (2, 0.5, 4)),
        ({"gpus_per_worker": 0}, (8, 2), (2, 0, 4)),
        ({"cpus_per_worker": 2}, (5, 0), (2, 0, 2)),
        ({"cpus_per_worker": 0.1}, (0.3, 0), (0.1, 0, 3)),  # 0.3 // 0.1 is 2
        ({"concurrent_trials": 1}, (2, 0), (2, 0, 1)),
        ({"workers": 2}, (2, 0), (2, 0, 1)),
        ({"workers": 2}, (8, 0), (2, 0, 4)),
        ({"workers": 2}, (16, 0), (4, 0, 4)),
        ({"workers": 2}, (8, 4), (4, 2, 2)),
        ({"workers": 3, "cpus_per_worker": 2}, (13, 0), (6, 0, 2)),
        ({"workers": 2, "gpus_per_worker": 0.5}, (8, 2), (4, 1, 2)),
    ],
)
def test_a_machine_is_divided_among_four_trials(
    spec: dict[str, Any], machine: tuple[float, float], expected: tuple[float, float, int]
) -> None:
    divided = allocate(ResourcesSpec(**spec), cluster(machine), trials=4)
    assert (divided.cpus, divided.gpus, divided.concurrent) == pytest.approx(expected)
    assert divided.concurrent * divided.cpus <= machine[0] + 1e-9
    assert divided.concurrent * divided.gpus <= machine[1]


def test_what_a_worker_has_follows_from_what_the_trial_has() -> None:
    divided = allocate(ResourcesSpec(workers=2, cpus_per_worker=3, gpus_per_worker=0.5), cluster((12, 4)), trials=None)
    assert (divided.workers, divided.cpus_per_worker, divided.gpus_per_worker) == (2, 3, 0.5)
    assert (divided.num_threads, divided.all_threads) == (3, 12)
    assert Allocation(0.5, 0, 1).num_threads == 1


def test_without_a_limit_of_trials_the_machine_is_filled() -> None:
    assert allocate(ResourcesSpec(), cluster((6, 0)), trials=None).concurrent == 6


@pytest.mark.parametrize(
    ("spec", "nodes", "expected"),
    [
        ({}, [(2, 0)] * 3, (1, 4)),
        ({"concurrent_trials": 1}, [(2, 0)] * 3, (2, 1)),  # no process spans two nodes
        ({"concurrent_trials": 2}, [(2, 0)] * 3, (2, 2)),
        ({"workers": 2, "concurrent_trials": 1}, [(2, 0)] * 3, (4, 1)),
        ({"workers": 3}, [(2, 0)] * 3, (3, 2)),
        ({"concurrent_trials": 3}, [(3, 0)] * 2, (1, 3)),  # a node has room for one of two CPUs
        ({"cpus_per_worker": 1.5}, [(2, 0)] * 3, (1.5, 3)),  # 6 / 1.5 is 4, but half a CPU of each node is left over
        ({"concurrent_trials": 1}, [(1, 0), (4, 0)], (4, 1)),
    ],
)
def test_on_a_cluster_a_process_is_on_one_node(
    spec: dict[str, Any], nodes: list[tuple[float, float]], expected: tuple[float, int]
) -> None:
    divided = allocate(ResourcesSpec(**spec), cluster(*nodes), trials=4)
    assert (divided.cpus, divided.concurrent) == expected
    assert divided.all_threads <= max(cpus for cpus, _ in nodes)


def test_what_can_never_be_had_is_named() -> None:
    assert refusal({"gpus_per_worker": 1}, (2, 0)) == (
        "resources.gpus_per_worker is 1, but this session has 0; ask for less or add a node"
    )
    assert refusal({"cpus_per_worker": 4}, (2, 0)) == (
        "resources.cpus_per_worker is 4, but this session has 2; ask for less or add a node"
    )
    assert refusal({"workers": 3}, (2, 0)) == (
        "resources.cpus_per_worker is 1 for each of 3 workers, but this session has 2; ask for less or add a node"
    )
    assert refusal({"workers": 4, "gpus_per_worker": 0.5}, (8, 1)) == (
        "resources.gpus_per_worker is 0.5 for each of 4 workers, but this session has 1; ask for less or add a node"
    )


def test_what_is_there_but_not_on_one_node_is_named() -> None:
    assert refusal({"cpus_per_worker": 3}, (2, 0), (2, 0)) == (
        "resources.cpus_per_worker is 3, but the largest node of this session has 2; ask for less or add a larger node"
    )
    assert refusal({"workers": 2, "cpus_per_worker": 2}, (3, 0), (1, 0)) == (
        "2 workers of this size were asked for, but the nodes of this session have room for 1; lower "
        "resources.cpus_per_worker or resources.gpus_per_worker, or add a node"
    )
    # a GPU on one node and the CPUs on the other
    assert "room for 0" in refusal({"cpus_per_worker": 4, "gpus_per_worker": 1}, (4, 0), (1, 1))


def test_a_cluster_that_grows_is_asked_for_more_than_it_has() -> None:
    growing = cluster((2, 0), can_grow=True)
    divided = allocate(ResourcesSpec(workers=4, cpus_per_worker=3, gpus_per_worker=1), growing, trials=8)
    assert (divided.cpus, divided.gpus, divided.concurrent) == (12, 4, 8), "what is asked for tells it how far to grow"
    assert allocate(ResourcesSpec(concurrent_trials=6, cpus_per_worker=1), growing, trials=8).concurrent == 6
    assert allocate(ResourcesSpec(concurrent_trials=6, cpus_per_worker=1), growing, trials=3).concurrent == 3
    empty = allocate(ResourcesSpec(), cluster(can_grow=True), trials=4)
    assert (empty.cpus, empty.concurrent, empty.all_threads) == (1, 4, 1)


@pytest.mark.parametrize(
    ("spec", "fit", "nodes", "expected"),
    [
        ({}, {}, [(4, 0)], (1, 4)),
        ({}, {"workers": 2}, [(4, 0)], (2, 2)),
        ({"concurrent_trials": 1}, {"workers": 2}, [(2, 0)], (2, 1)),  # smaller than a trial has
        ({"workers": 2}, {}, [(2, 0)] * 3, (2, 2)),
        ({"workers": 2}, {"workers": 6}, [(2, 0)] * 3, (6, 1)),
        ({"cpus_per_worker": 1}, {"workers": 2}, [(8, 0)], (2, 1)),
        ({}, {"workers": 6, "min_workers": 2}, [(2, 0)], (6, 1)),  # begins with two, and grows
    ],
)
def test_the_fit_has_workers_of_its_own(
    spec: dict[str, Any], fit: dict[str, Any], nodes: list[tuple[float, float]], expected: tuple[int, float]
) -> None:
    found = allocate_fit(ResourcesSpec(**spec), FitSpec(**fit), cluster(*nodes))
    assert (found.workers, found.cpus_per_worker) == expected


def test_a_fit_that_can_never_begin_is_refused() -> None:
    with pytest.raises(ResourceError, match=r"1 for each of 3 workers, but this session has 2"):
        allocate_fit(ResourcesSpec(), FitSpec(workers=3), cluster((2, 0)))
    with pytest.raises(ResourceError, match=r"1 for each of 3 workers, but this session has 2"):
        allocate_fit(ResourcesSpec(), FitSpec(workers=4, min_workers=3), cluster((2, 0)))


@pytest.mark.parametrize(
    ("nodes", "left"),
    [
        ([(2, 0)], [1]),
        ([(16, 0)], [12]),
        ([(8, 2)], [6]),
        ([(8, 2), (8, 0)], [4, 8]),  # those without a GPU decode first
        ([(4, 0), (12, 0)], [8, 4]),
        ([(2, 1), (2, 1), (2, 1), (2, 1)], [1, 1, 2, 2]),
    ],
)
def test_a_quarter_of_the_cpus_decodes_what_is_streamed(nodes, left):
    assert [node.cpus for node in cluster(*nodes).without_decoding().nodes] == left


def test_what_is_streamed_needs_a_cpu_of_its_own():
    with pytest.raises(ResourceError, match="need a CPU beside those that train"):
        cluster((1, 1)).without_decoding()
    growing = cluster((1, 1), can_grow=True)
    assert growing.without_decoding() is growing


def test_a_cluster_that_says_what_it_can_become_is_divided_as_that() -> None:
    head, gpu = Node(0), Node(8, 1, "A10G")
    growing = ClusterResources((head,), can_grow=True, largest=(gpu,) * 4 + (Node(16),) * 2)
    divided = allocate(ResourcesSpec(), growing.at_its_largest(), trials=20)
    assert (divided.cpus, divided.gpus, divided.concurrent) == (8, 1, 4)
    assert divided.all_threads == 8, "the larger node has no GPU"
    assert allocate(ResourcesSpec(), growing.at_its_largest(most=3), trials=20).concurrent == 3
    with pytest.raises(ResourceError, match="gpus_per_worker is 2, but the largest node"):
        allocate(ResourcesSpec(gpus_per_worker=2), growing.at_its_largest(), trials=20)
    assert ClusterResources((head,), can_grow=True).at_its_largest() == ClusterResources((head,), can_grow=True)


def test_only_nodes_of_the_gpu_that_is_named_count() -> None:
    there = ClusterResources((Node(8, 1, "A10G"), Node(8, 1, "L4"), Node(64)))
    divided = allocate(ResourcesSpec(gpu_type="L4"), there, trials=4)
    assert (divided.concurrent, divided.labels) == (1, {"ray.io/accelerator-type": "L4"})
    with pytest.raises(ResourceError, match="gpu_type is H100, but the nodes of this session have A10G, L4; name"):
        allocate(ResourcesSpec(gpu_type="H100"), there, trials=4)
    growing = ClusterResources((Node(0),), can_grow=True)
    assert allocate(ResourcesSpec(gpu_type="H100", gpus_per_worker=1), growing, trials=4).concurrent == 4


@pytest.mark.parametrize(
    ("spec", "nodes", "trials", "expected"),
    [
        ({}, [(8, 4)] * 16, 42, 44),
        ({}, [(8, 4)] * 16, 8, 8),
        ({}, [(8, 1)] * 16, 7, 7),
        ({"gpus_per_worker": 2}, [(8, 4)] * 4, 3, 4),
        ({}, [(96, 8), (8, 2)], 5, 6),  # nobody knows which come: the smaller ones are filled in any case
        ({}, [(8, 0)] * 4, 7, 7),
        ({"gpus_per_worker": 0}, [(8, 4)] * 4, 7, 7),
        ({"concurrent_trials": 5}, [(8, 4)] * 4, 5, 5),
        ({"workers": 2}, [(8, 4)] * 4, 5, 5),
        ({}, [(8, 4)] * 4, None, None),
        ({"gpus_per_worker": 16}, [(8, 4)] * 4, 3, 3),
    ],
)
def test_no_gpu_of_a_node_that_comes_is_idle_from_the_start(
    spec: dict[str, Any], nodes: list[tuple[float, float]], trials: int | None, expected: int | None
) -> None:
    assert on_whole_nodes(trials, ResourcesSpec(**spec), cluster(*nodes)) == expected
