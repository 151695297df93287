"""A driver with a working group is killed; the cluster, which is not its own, must be as it was before."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster
from ray.util import placement_group_table


def work(order: None, payload: None, channel: Any) -> None:
    while channel.report(channel.rank):
        pass


def driver(address: str, storage: Path) -> None:
    from graft.workers.groups.group import WorkerGroups
    from graft.workers.groups.shape import GroupShape

    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    with WorkerGroups(GroupShape(2, 0.5), 1, work, None, storage) as groups, groups.handle.lease("trial") as lease:
        for number, _ in enumerate(lease.run(None)):
            if number == 1:
                sys.stdout.write("works\n")
                sys.stdout.flush()


def main() -> None:
    head = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 200_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    with tempfile.TemporaryDirectory() as storage:
        child = subprocess.Popen(
            [sys.executable, __file__, cluster.address, storage], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        while_up = ray.available_resources()["CPU"]
        child.kill()
        child.wait()
    deadline = time.monotonic() + 60
    while ray.available_resources().get("CPU") != 2.0 and time.monotonic() < deadline:
        time.sleep(0.1)
    found = {
        "cpus_while_up": while_up,
        "cpus_after": ray.available_resources().get("CPU"),
        "left": [entry["state"] for entry in placement_group_table().values() if entry["state"] != "REMOVED"],
    }
    ray.shutdown()
    cluster.shutdown()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        driver(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
