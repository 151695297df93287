"""What disturbs worker groups, one thing after the other: no dashboard here, and a second Ray on the same machine."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray._private.state import actors
from ray.util import placement_group_table

from graft.core.errors import ResourceError
from graft.workers.groups.group import WorkerGroups
from graft.workers.groups.lease import GroupsHandle
from graft.workers.groups.messages import Limits
from graft.workers.groups.shape import GroupShape

OTHER_RAY = """
import ray, sys
ray.init(address="local", num_cpus=1, include_dashboard=False, object_store_memory=100_000_000, log_to_driver=False)
print("up", flush=True)
sys.stdin.read()
"""
HANGS_S = 60.0


def work(order: dict[str, Any], payload: None, channel: Any) -> None:
    import os
    import threading

    for step in range(order["steps"]):
        channel.report({"step": step, "attempt": channel.attempt, "pid": os.getpid()})
        if order.get("hangs"):
            threading.Event().wait()


def main() -> None:
    other = subprocess.Popen([sys.executable, "-c", OTHER_RAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()
    options = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 200_000_000}
    ray.init(address="local", log_to_driver=False, logging_level="ERROR", **options)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        storage = Path(name)
        found["never_came"] = never_came(storage)
        limits = Limits(leave_s=1.0, start_s=120.0)
        with WorkerGroups(GroupShape(2, 0.5), 1, work, None, storage, limits=limits) as groups:
            found["controller_killed"] = controller_killed(groups.handle)
            found["hung"] = hung(groups.handle)
            with groups.handle.lease("hangs until the end") as lease:
                next(lease.run({"steps": 2, "hangs": True}))
    wait_until(lambda: ray.available_resources().get("CPU") == 2.0)
    found["cpus_after"] = ray.available_resources().get("CPU")
    found["left"] = [entry["state"] for entry in placement_group_table().values() if entry["state"] != "REMOVED"]
    other.communicate()
    ray.shutdown()
    sys.stdout.write(json.dumps(found))


@ray.remote(num_cpus=1)
class Occupant:
    def is_there(self) -> bool:
        return True


def never_came(storage: Path) -> str:
    """The CPUs exist, but somebody else has them."""
    occupant = Occupant.remote()
    ray.get(occupant.is_there.remote())
    try:
        with (
            WorkerGroups(GroupShape(2, 1.0), 1, work, None, storage, limits=Limits(start_s=5.0)) as groups,
            groups.handle.lease("trial"),
        ):
            return "it came"
    except ResourceError as error:
        return str(error)
    finally:
        ray.kill(occupant)


def controller_killed(handle: GroupsHandle) -> dict[str, Any]:
    """Train's controller dies with its group at work."""
    with handle.lease("trial") as lease:
        run = lease.run({"steps": 3})
        reports = [next(run)]
        (controller,) = [
            actor
            for actor in actors().values()
            if actor["State"] == "ALIVE" and "TrainController" in actor["ActorClassName"]
        ]
        os.kill(controller["Pid"], signal.SIGKILL)
        # Only when its workers have gone too: they would still bring this short order to its end.
        wait_until(lambda: not Path(f"/proc/{reports[0]['pid']}").exists())
        reports.extend(run)
    return {"attempts": sorted({report["attempt"] for report in reports}), "last_step": reports[-1]["step"]}


def hung(handle: GroupsHandle) -> dict[str, Any]:
    """The work function neither ends nor listens, and its order is abandoned."""
    with handle.lease("one") as lease:
        first = next(lease.run({"steps": 2, "hangs": True}))["pid"]
    with handle.lease("two") as lease:
        pids = [report["pid"] for report in lease.run({"steps": 2})]
    return {"next_order": len(pids), "same_process": first in pids}


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANGS_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)


if __name__ == "__main__":
    main()
