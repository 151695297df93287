"""The size of a worker group, and whether a cluster can ever have the groups asked for (Ray 2.60)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import ray
from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
from ray._private.state import available_resources_per_node
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.experimental.internal_kv import _internal_kv_get

from graft.core.errors import ResourceError
from graft.workers.allocation import ACCELERATOR


@dataclass(frozen=True)
class GroupShape:
    """The size of a worker group, and what each of its workers occupies.

    Attributes:
        workers: processes that work together.
        cpus_per_worker: CPUs of each.
        gpus_per_worker: GPUs of each; a share below 1 lets workers share one.
        placement: ``pack`` puts the workers on as few nodes as possible, ``spread`` on as many.
        gpu_type: the only kind of GPU that their nodes may have; empty if any will do.
    """

    workers: int
    cpus_per_worker: float
    gpus_per_worker: float = 0.0
    placement: Literal["pack", "spread"] = "pack"
    gpu_type: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """Of the nodes that its workers may be on."""
        return {ACCELERATOR: self.gpu_type} if self.gpu_type else {}

    @property
    def resources(self) -> dict[str, float]:
        """What one worker occupies, by Ray's names."""
        wanted = {"CPU": self.cpus_per_worker, "GPU": self.gpus_per_worker}
        return {kind: amount for kind, amount in wanted.items() if amount}

    @property
    def num_threads(self) -> int:
        """Torch threads of a worker: its CPUs, so that workers do not fight for cores."""
        return max(1, int(self.cpus_per_worker))

    @property
    def backend(self) -> str:
        """The backend of the torch process group; NCCL refuses two ranks on one GPU."""
        return "cpu:gloo,cuda:nccl" if self.gpus_per_worker >= 1 else "gloo"

    def __str__(self) -> str:
        each = " and ".join(f"{amount:g} {kind}" for kind, amount in self.resources.items())
        return f"{self.workers} worker{'s' if self.workers > 1 else ''} with {each or 'no CPU'} each"


# So Ray's monitor names the type of a node that no autoscaler has started.
NODE_WITHOUT_TYPE = "node_"


def check_shape(shape: GroupShape, count: int) -> None:
    """Refuse at once what the cluster's nodes, all of them free, could not hold; Ray must be up.

    With an autoscaler nothing is refused: nodes may come. What it waits for is told by `waiting_for`.

    Raises:
        ResourceError: it can never be met; says what is missing.
    """
    missing = what_is_missing(shape, count, _total_of_nodes())
    if missing and not has_autoscaler():
        raise ResourceError(f"{missing}; ask for less, or add a node")


def waiting_for(shape: GroupShape, count: int) -> str:
    """What has to happen before `count` groups can run, in one line; empty if the cluster is large enough and free."""
    missing = what_is_missing(shape, count, _total_of_nodes())
    if missing:
        return f"{missing}; the autoscaler has to add nodes" if has_autoscaler() else missing
    free = ray.available_resources()
    needed = {kind: amount * shape.workers * count for kind, amount in shape.resources.items()}
    if all(free.get(kind, 0.0) >= amount for kind, amount in needed.items()):
        return ""
    short = " and ".join(f"{amount:g} {kind} ({free.get(kind, 0.0):g} free)" for kind, amount in needed.items())
    return f"{short} needed"


def free_workers(shape: GroupShape) -> int:
    """How many such workers fit into what is free on the nodes now."""
    nodes = available_resources_per_node().values()
    return sum(_fit(shape, node) for node in nodes) if shape.resources else shape.workers


def what_is_missing(shape: GroupShape, count: int, nodes: Sequence[Mapping[str, float]]) -> str:
    """Why these nodes cannot hold `count` groups of this shape, even if all of them are free; empty if they can.

    Args:
        shape: of each group.
        count: how many groups.
        nodes: what each node has, by Ray's names.
    """
    for kind, amount in shape.resources.items():
        largest = max((node.get(kind, 0.0) for node in nodes), default=0.0)
        if largest < amount:
            return f"a worker with {amount:g} {kind} was asked for, but the largest node has {largest:g} {kind}"
    if not shape.resources:
        return ""
    room = sum(_fit(shape, node) for node in nodes)
    if room >= shape.workers * count:
        return ""
    asked = str(shape) if count == 1 else f"{count} groups of {shape}"
    return f"{asked} were asked for, but the cluster has room for {room} such worker{'s' if room != 1 else ''}"


def has_autoscaler() -> bool:
    """Whether something adds nodes to this cluster when they are needed.

    Every cluster has a monitor, and a cluster without an autoscaler has one that only watches: it gives each node a
    type of its own, named after the node, where an autoscaler's nodes have the types of its configuration.
    """
    status = _internal_kv_get(DEBUG_AUTOSCALING_STATUS)
    if status:  # written by the monitor of autoscaler version 1
        report = json.loads(status).get("autoscaler_report") or {}
        types = [*(report.get("active_nodes") or {}), *(report.get("idle_nodes") or {})]
    else:
        cluster = get_cluster_status(ray.get_runtime_context().gcs_address)
        types = [node.ray_node_type_name for node in (*cluster.active_nodes, *cluster.idle_nodes)]
    return any(not name.startswith(NODE_WITHOUT_TYPE) for name in types)


def _fit(shape: GroupShape, node: Mapping[str, float]) -> int:
    # Ray counts in ten-thousandths.
    return min(
        round(node.get(kind, 0.0) * 10_000) // round(amount * 10_000) for kind, amount in shape.resources.items()
    )


def _total_of_nodes() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]
