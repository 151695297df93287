import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graft.core.errors import DataError, ResourceError
from graft.workers.elastic import DistributedResult, ElasticTimeouts, Start, run_distributed
from graft.workers.groups.shape import GroupShape

pytestmark = pytest.mark.ray

ONE = GroupShape(1, 0.5)


def on_two_nodes(*arguments: str) -> dict[str, Any]:
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    environment.pop("RAY_ADDRESS", None)
    script = Path(__file__).with_name("leaving_node.py")
    done = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.slow
def test_it_goes_on_with_one_worker_when_a_node_leaves():
    found = on_two_nodes()
    value = found["value"]
    assert (value["size"], value["attempt"]) == (1, 1)
    assert 0 < value["resumed_at"] < value["steps"]
    assert [start["workers"] for start in found["starts"]] == [2, 1]
    assert found["num_nodes"] == 2


@pytest.mark.slow
def test_it_grows_again_when_a_node_joins():
    found = on_two_nodes("grow")
    assert (found["value"]["size"], found["value"]["attempt"]) == (2, 2)
    assert [start["workers"] for start in found["starts"]] == [2, 1, 2]
    assert found["num_nodes"] == 3


def test_all_nodes_that_took_part_are_told():
    starts = (Start(2, ("b", "c")), Start(1, ("a",)), Start(2, ("a", "b")))
    assert DistributedResult(None, starts).nodes == ("a", "b", "c")


@pytest.mark.usefixtures("ray_session")
class TestInALocalSession:
    def test_our_errors_come_out_as_they_are_and_are_not_tried_again(self, tmp_path):
        def fail(rank: Any, path: str) -> None:
            with open(path, "a") as starts:
                starts.write("x")
            raise DataError("class `cat` is empty")

        with pytest.raises(DataError, match=r"^class `cat` is empty$"):
            run_distributed(fail, (str(tmp_path / "starts"),), ONE, tmp_path)
        assert (tmp_path / "starts").read_text() == "x"

    def test_what_can_never_be_met_is_refused_at_once(self, tmp_path):
        with pytest.raises(ResourceError, match=r"2 workers with 1000 CPU each|the largest node has"):
            run_distributed(print, (), GroupShape(2, 1000.0), tmp_path)

    def test_workers_that_do_not_come_up_are_given_up(self, tmp_path):
        import ray

        @ray.remote(num_cpus=2)
        class Occupant:
            def is_there(self) -> bool:
                return True

        occupant = Occupant.remote()
        ray.get(occupant.is_there.remote())
        try:
            late = r"^1 of 2 workers .* were not up within 1 s; 0.5 CPU \(0 free\) needed$"
            with pytest.raises(ResourceError, match=late):
                run_distributed(print, (), GroupShape(2, 0.5), tmp_path, 1, timeouts=ElasticTimeouts(1.0, 1.0, 1.0))
        finally:
            ray.kill(occupant)
