import pytest

from graft.core.errors import ResourceError
from graft.workers.groups.shape import GroupShape, check_shape, has_autoscaler, waiting_for, what_is_missing

SMALL, LARGE = {"CPU": 2.0}, {"CPU": 8.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("shape", "count", "nodes"),
    [
        (GroupShape(2, 1.0), 1, [SMALL]),
        (GroupShape(2, 0.1), 10, [SMALL]),
        (GroupShape(2, 2.0), 1, [SMALL, SMALL]),
        (GroupShape(2, 1.0, 0.5), 2, [SMALL, LARGE]),
        (GroupShape(4, 0.0), 100, [{}]),
    ],
)
def test_what_fits_misses_nothing(shape, count, nodes):
    assert what_is_missing(shape, count, nodes) == ""


@pytest.mark.parametrize(
    ("shape", "count", "nodes", "missing"),
    [
        (GroupShape(1, 3.0), 1, [SMALL, SMALL], "a worker with 3 CPU was asked for, but the largest node has 2 CPU"),
        (GroupShape(2, 1.0, 1.0), 1, [SMALL], "a worker with 1 GPU was asked for, but the largest node has 0 GPU"),
        (
            GroupShape(4, 1.5),
            1,
            [SMALL, SMALL],
            "4 workers with 1.5 CPU each were asked for, but the cluster has room for 2 such workers",
        ),
        (
            GroupShape(1, 1.0, 1.0),
            3,
            [LARGE, SMALL],
            "3 groups of 1 worker with 1 CPU and 1 GPU each were asked for, "
            "but the cluster has room for 2 such workers",
        ),
        (GroupShape(1, 1.0), 1, [], "a worker with 1 CPU was asked for, but the largest node has 0 CPU"),
    ],
)
def test_it_says_what_is_missing(shape, count, nodes, missing):
    assert what_is_missing(shape, count, nodes) == missing


@pytest.mark.parametrize(
    ("shape", "backend"),
    [
        (GroupShape(2, 1.0), "gloo"),
        (GroupShape(2, 1.0, 0.5), "gloo"),
        (GroupShape(2, 1.0, 1.0), "cpu:gloo,cuda:nccl"),
    ],
)
def test_nccl_only_where_each_worker_has_a_gpu_of_its_own(shape, backend):
    assert shape.backend == backend


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
class TestInALocalSession:
    def test_no_autoscaler_adds_nodes(self):
        assert has_autoscaler() is False

    def test_what_can_never_be_met_is_refused_at_once(self):
        with pytest.raises(ResourceError, match=r"^a worker with 1 GPU .* 0 GPU; ask for less, or add a node$"):
            check_shape(GroupShape(2, 1.0, 1.0), 1)

    def test_what_could_be_met_is_waited_for_in_words(self):
        check_shape(GroupShape(2, 0.5), 1)
        assert waiting_for(GroupShape(1, 0.0), 1) == ""
        assert waiting_for(GroupShape(1000, 1.0), 1).startswith("1000 workers with 1 CPU each were asked for")
