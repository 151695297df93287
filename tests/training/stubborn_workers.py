"""Groups that cannot come up because the CPUs are taken, and groups whose work neither ends nor listens."""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ray

from graft.core.errors import ResourceError
from graft.training.group import WorkerGroups
from graft.training.orders import Limits
from graft.training.shape import GroupShape


def work(order: str, payload: None, channel: Any) -> None:
    import os
    import threading

    channel.report(os.getpid())
    if order == "hang":
        threading.Event().wait()
    channel.report(os.getpid())


@ray.remote(num_cpus=1)
class Occupant:
    def is_there(self) -> bool:
        return True


def main() -> None:
    options = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 200_000_000}
    ray.init(address="local", log_to_driver=False, logging_level="ERROR", **options)
    with tempfile.TemporaryDirectory() as name:
        found = {"never_came": never_came(Path(name)), "hung": hung(Path(name))}
    deadline = time.monotonic() + 60
    while ray.available_resources().get("CPU") != 2.0 and time.monotonic() < deadline:
        time.sleep(0.1)
    found["cpus_after_exit_from_a_hanging_group"] = ray.available_resources().get("CPU")
    ray.shutdown()
    sys.stdout.write(json.dumps(found))


def never_came(storage: Path) -> str:
    occupant = Occupant.remote()
    ray.get(occupant.is_there.remote())
    limits = Limits(start_s=5.0)
    try:
        with (
            WorkerGroups(GroupShape(2, 1.0), 1, work, None, storage, limits=limits) as groups,
            groups.handle.lease("trial"),
        ):
            return "it came"
    except ResourceError as error:
        return str(error)
    finally:
        ray.kill(occupant)


def hung(storage: Path) -> dict[str, Any]:
    with WorkerGroups(GroupShape(2, 0.5), 1, work, None, storage, limits=Limits(leave_s=1.0)) as groups:
        with groups.handle.lease("one") as lease:
            first = next(lease.run("hang"))
        with groups.handle.lease("two") as lease:
            pids = list(lease.run("work"))
        with groups.handle.lease("three") as lease:
            next(lease.run("hang"))
    return {"next_order": len(pids), "same_process": first in pids}


if __name__ == "__main__":
    main()
