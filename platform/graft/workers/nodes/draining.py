"""What is in use on the nodes of a growing cluster, and the word that one of them is to leave (Ray 2.60)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import ray
from ray._private.worker import global_worker
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.core.generated.autoscaler_pb2 import DRAIN_NODE_REASON_IDLE_TERMINATION, DRAIN_NODE_REASON_PREEMPTION
from ray.exceptions import RayError

from graft.workers.nodes.watch import leaving_nodes

HEAD_AWAY = (RayError, OSError, RuntimeError)
"""What these functions raise where the head does not answer."""

# Ray ends what still runs there then; until then whoever trains there has left.
GONE_WITHIN_S = 600.0


@dataclass(frozen=True)
class NodeUse:
    """One node that is there to stay, as far as anybody knows.

    Attributes:
        node: Ray's id of it.
        kind: its name in the cluster file.
        total: what it has, by Ray's names.
        used: what of that is taken, by whomever.
        is_idle: nothing runs there, and nobody's objects lie there.
    """

    node: str
    kind: str
    total: Mapping[str, float]
    used: Mapping[str, float]
    is_idle: bool = False

    @property
    def free(self) -> dict[str, float]:
        """What is not taken."""
        return {name: amount - self.used.get(name, 0.0) for name, amount in self.total.items()}


def nodes_there() -> list[NodeUse]:
    """The nodes that are up; without those that are about to leave.

    Raises:
        HEAD_AWAY: the head does not answer.
    """
    leaving = leaving_nodes()
    cluster = get_cluster_status(ray.get_runtime_context().gcs_address)
    nodes = [(one, False) for one in cluster.active_nodes] + [(one, True) for one in cluster.idle_nodes]
    return [
        NodeUse(str(one.node_id), one.ray_node_type_name, one.total_resources(), one.used_resources(), is_idle)
        for one, is_idle in nodes
        if one.node_id not in leaving
    ]


def drain(node: str) -> bool:
    """Have a node leave: Ray sends no work there, whoever trains there goes on elsewhere; whether Ray will do so."""
    return _drain(node, DRAIN_NODE_REASON_PREEMPTION, "graft: its trials have room elsewhere")


def let_go(node: str) -> bool:
    """Have an idle node leave; whether Ray will do so, which it will not if somebody has begun there meanwhile."""
    return _drain(node, DRAIN_NODE_REASON_IDLE_TERMINATION, "graft: its trials have ended, and no more are to begin")


def _drain(node: str, reason: int, why: str) -> bool:
    until = int((time.time() + GONE_WITHIN_S) * 1000)
    is_accepted, _ = global_worker.gcs_client.drain_node(node, reason, why, until)
    return bool(is_accepted)
