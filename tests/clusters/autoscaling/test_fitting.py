"""What can never run is said before anything starts."""

import pytest

from graft.clusters.autoscaling.fitting import gang_violations, most_bundles, storage_violations
from graft.clusters.autoscaling.gang import Gang
from graft.clusters.node_types import ACCELERATOR, ClusterNodes, NodeType

HEAD = NodeType("head", {"CPU": 0})
DATA = NodeType("data", {"CPU": 16}, most=2)
GPU = NodeType("gpu", {"CPU": 8, "GPU": 1}, {ACCELERATOR: "A10G"}, most=4, is_spot=True)
CLUSTER = ClusterNodes("aws", HEAD, (DATA, GPU), 5, 300.0)


@pytest.mark.parametrize(
    ("gang", "told"),
    [
        (Gang(1, {"GPU": 1}, labels={ACCELERATOR: "H100"}), "asks for H100, but no node type has .* (they have A10G)"),
        (Gang(1, {"GPU": 2}), "asks for 2 GPU in a worker, but the largest node has 1"),
        (Gang(1, {"CPU": 32}), "asks for 32 CPU in a worker, but the largest node has 16"),
        (Gang(1, {"CPU": 12, "GPU": 1}), "but no node type has all of that"),
        (Gang(6, {"GPU": 1}), "max_workers of gpu (4) leave room for 4; raise max_workers"),
        (Gang(1, {"TPU": 1}), "no node type has any; add one with TPU"),
    ],
)
def test_what_does_not_fit_is_told_in_a_line(gang: Gang, told: str) -> None:
    (found,) = gang_violations(gang, CLUSTER, "resources")
    for part in told.split(" .* "):
        assert part in str(found)
    assert str(found).startswith("resources: ")


def test_what_fits_is_no_problem() -> None:
    assert list(gang_violations(Gang(4, {"CPU": 8, "GPU": 1}), CLUSTER, "resources")) == []


def test_the_bound_on_all_nodes_counts() -> None:
    assert most_bundles(Gang(1, {"CPU": 8}), CLUSTER) == 2 * 2 + 3


def test_spot_needs_shared_storage() -> None:
    (found,) = storage_violations(ClusterNodes("aws", HEAD, (DATA, GPU), 5, 300.0, has_shared_home=False))
    assert "gpu may be taken away with their disks" in str(found)
    assert list(storage_violations(CLUSTER)) == []
    assert list(storage_violations(ClusterNodes("aws", HEAD, (DATA,), 5, 300.0, has_shared_home=False))) == []
