"""A cluster of three nodes on this machine, one CPU each, that can lose a node."""

import contextlib
import os
from types import TracebackType
from typing import Any, Self

import psutil
import ray
from ray._private.ray_constants import PROCESS_TYPE_RAYLET
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}


class ThreeNodes:
    """The cluster, with this process as a driver on its head node: a context manager.

    Attributes:
        head: id of the node that stays.
    """

    def __init__(self) -> None:
        self._cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
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

    def lose(self, node: str) -> None:
        """Kill a node's raylet and all that runs there, at once and without a warning; only in the main thread."""
        lost = self._nodes.pop(node)
        raylet = psutil.Process(lost.all_processes[PROCESS_TYPE_RAYLET][0].process.pid)
        workers = raylet.children(recursive=True)
        self._cluster.remove_node(lost, allow_graceful=False)
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()

    def occupy_head(self) -> Any:
        """Take the head node's CPU; kill the actor that is returned to give it back."""
        strategy = NodeAffinitySchedulingStrategy(self.head, soft=False)
        occupant = ray.remote(Occupant).options(num_cpus=1, scheduling_strategy=strategy).remote()
        ray.get(occupant.is_there.remote())
        return occupant


class Occupant:
    def is_there(self) -> bool:
        return True
