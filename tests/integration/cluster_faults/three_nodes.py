"""A cluster of three nodes on this machine, one CPU each, that can lose a node."""

import contextlib
import os
import time
from types import TracebackType
from typing import Self

import ray
from ray._private.ray_constants import PROCESS_TYPE_RAYLET
from ray._raylet import GcsClient
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import DrainNodeReason

# isort: split
import psutil  # Ray brings it, and only makes it importable when it is imported itself

DRAIN_NODE_REASON_PREEMPTION = DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION
NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}


class ThreeNodes:
    """The cluster, with this process as a driver on its head node: a context manager.

    Args:
        head_cpus: CPUs of the head node; with 0, it runs nothing that needs one.

    Attributes:
        head: id of the node that stays.
    """

    def __init__(self, head_cpus: int = 1) -> None:
        head = {**NODE, "num_cpus": head_cpus, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        os.environ["RAY_ADDRESS"] = self._cluster.address
        self.head = self._cluster.head_node.node_id
        added = [self._cluster.add_node(**NODE) for _ in range(2)]
        self._nodes = {node.node_id: node for node in added}

    def __enter__(self) -> Self:
        ray.init(address=self._cluster.address, log_to_driver=False, logging_level="ERROR")
        here = ray.get_runtime_context().get_node_id()
        if here != self.head:
            raise RuntimeError(f"this driver is on node {here}, but must be on the head node {self.head}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray.shutdown()
        self._cluster.shutdown()

    @property
    def others(self) -> tuple[str, ...]:
        """Ids of the nodes that can still be lost."""
        return tuple(self._nodes)

    def drain(self, node: str, seconds: float) -> None:
        """Say that a node will be taken away, as a cloud's notice would (`ray drain-node`)."""
        until = int((time.time() + seconds) * 1000)
        gcs = GcsClient(address=self._cluster.address)
        is_accepted, why = gcs.drain_node(node, DRAIN_NODE_REASON_PREEMPTION, "spot", until)
        if not is_accepted:
            raise RuntimeError(f"node {node} is not drained: {why}")

    def lose(self, node: str) -> None:
        """Kill a node's raylet and all that runs there, at once and without a warning; only in the main thread."""
        lost = self._nodes.pop(node)
        raylet = psutil.Process(lost.all_processes[PROCESS_TYPE_RAYLET][0].process.pid)
        # Ray takes seconds over the other processes of a node, in which its workers would go on.
        for process in (raylet, *raylet.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._cluster.remove_node(lost, allow_graceful=False)
