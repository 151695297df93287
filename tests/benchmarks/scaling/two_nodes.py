"""A cluster of nodes with one CPU each on this machine, and the measurement with one worker and with one on each.

``python -m scaling.two_nodes REQUEST.json SPEEDS.jsonl``; each repeat adds a line.
"""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster
from scaling.work import Case, Measurement, measure

from graft.workers.elastic import run_distributed
from graft.workers.groups.shape import GroupShape

STORE_BYTES = 100_000_000


def main() -> None:
    """Measure as often as asked, who goes first takes turns."""
    asked, answered = (Path(argument) for argument in sys.argv[1:3])
    request = json.loads(asked.read_text())
    what = Measurement(
        tuple(Case(**case) for case in request["cases"]), request["images"], request["warm_up"], request["resolution"]
    )
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(request["workers"]):
        cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        for repeat in range(request["repeats"]):
            order = [1, request["workers"]]
            found = {workers: _with(workers, what) for workers in (order if repeat % 2 == 0 else order[::-1])}
            line = {"one": found[1], "all": found[request["workers"]]}
            with answered.open("a") as lines:
                lines.write(json.dumps(line) + "\n")
    finally:
        ray.shutdown()
        cluster.shutdown()


def _with(workers: int, what: Measurement) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        shape = GroupShape(workers, 1.0, placement="spread")
        done = run_distributed(measure, (what,), shape, Path(name), max_failures=0)
        return {**asdict(done.value), "nodes": len(done.nodes)}


if __name__ == "__main__":
    main()
