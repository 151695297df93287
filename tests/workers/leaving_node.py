"""A distributed run on two nodes; one of them goes away in the middle, and with ``grow`` another one comes."""

import json
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from graft.workers.elastic import ElasticTimeouts, run_distributed
from graft.workers.groups.shape import GroupShape

NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}


def train(rank: Any, directory: str) -> dict[str, int]:
    """Count steps together, resume from the file, until the file `finish` says so."""
    import time
    from pathlib import Path

    import torch
    import torch.distributed as dist

    place = Path(directory)
    counter = place / "steps"
    steps = first = int(counter.read_text()) if counter.exists() else 0
    while not (place / "finish").exists():
        total = torch.ones(1)
        dist.all_reduce(total)
        assert total.item() == rank.size
        steps += 1
        if rank.rank == 0:
            written = place / f"steps-{steps}"
            written.write_text(str(steps))
            written.replace(counter)
            (place / f"works-{rank.attempt}").touch()
        time.sleep(0.05)
    return {"resumed_at": first, "steps": steps, "size": rank.size, "attempt": rank.attempt}


def main(grows: bool) -> None:
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(**NODE)
    leaving = cluster.add_node(**NODE)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    result: list[Any] = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        shape = GroupShape(2, 1.0, placement="spread")
        timeouts = ElasticTimeouts(start_s=5.0, resize_s=5.0)

        def run() -> None:
            result.append(run_distributed(train, (name,), shape, place / "train", 1, 3, timeouts))

        running = threading.Thread(target=run, daemon=True)
        running.start()
        wait_for(place / "works-0", running)
        cluster.remove_node(leaving, allow_graceful=False)
        wait_for(place / "works-1", running)
        if grows:
            # Only the main thread may do this: it installs signal handlers.
            cluster.add_node(**NODE)
            wait_for(place / "works-2", running)
        (place / "finish").touch()
        running.join()
    found = asdict(result[0])
    found["num_nodes"] = len(result[0].nodes)
    ray.shutdown()
    cluster.shutdown()
    sys.stdout.write(json.dumps(found))


def wait_for(path: Path, running: threading.Thread) -> None:
    while not path.exists() and running.is_alive():
        running.join(0.05)


if __name__ == "__main__":
    main("grow" in sys.argv)
