"""Kills Train's controller under a working group: no dashboard here, and a second Ray on the same machine."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ray
from ray._private.state import actors
from ray.util import placement_group_table

from graft.training.group import WorkerGroups
from graft.training.shape import GroupShape

OTHER_RAY = """
import ray, sys
ray.init(address="local", num_cpus=1, include_dashboard=False, object_store_memory=100_000_000, log_to_driver=False)
print("up", flush=True)
sys.stdin.read()
"""


def work(order: int, payload: None, channel: Any) -> None:
    import time

    for step in range(order):
        time.sleep(0.05)
        if not channel.report((channel.attempt, step)):
            return


def main() -> None:
    other = subprocess.Popen([sys.executable, "-c", OTHER_RAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()
    options = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 200_000_000}
    ray.init(address="local", log_to_driver=False, logging_level="ERROR", **options)
    before = ray.available_resources()["CPU"]
    with (
        tempfile.TemporaryDirectory() as storage,
        WorkerGroups(GroupShape(2, 0.5), 1, work, None, Path(storage)) as groups,
        groups.handle.lease("trial") as lease,
    ):
        run = lease.run(30)
        reports = [next(run)]
        kill_controller()
        reports.extend(run)
    found = {
        "order": {"attempts": sorted({attempt for attempt, _ in reports}), "last_step": reports[-1][1]},
        "cpus_before": before,
        "cpus_after": cpus_when_free(before),
        "left": [entry["state"] for entry in placement_group_table().values() if entry["state"] != "REMOVED"],
    }
    other.communicate()
    ray.shutdown()
    sys.stdout.write(json.dumps(found))


def kill_controller() -> None:
    alive = [
        actor
        for actor in actors().values()
        if "TrainController" in actor["ActorClassName"] and actor["State"] == "ALIVE"
    ]
    os.kill(alive[0]["Pid"], signal.SIGKILL)


def cpus_when_free(wanted: float) -> float:
    deadline = time.monotonic() + 60
    while ray.available_resources().get("CPU") != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return ray.available_resources().get("CPU", 0.0)


if __name__ == "__main__":
    main()
