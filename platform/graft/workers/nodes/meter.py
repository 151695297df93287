"""Counts the nodes of a cluster while a run works, and what they cost (Ray 2.60)."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import ray
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.exceptions import RayError

from graft.core.errors import GraftError
from graft.journal.events import NodesCounted
from graft.spec.resources import PriceSpec
from graft.workers.cluster_address import cluster_address
from graft.workers.groups.shape import has_autoscaler

_LOG = logging.getLogger(__name__)
LOOK_S = 5.0
# What is paid for goes on though the number of nodes stays: a record at least that often.
RECORD_S = 60.0
HOUR = 3600.0


@dataclass(frozen=True)
class SeenNode:
    """One node: its type, and what it has."""

    kind: str
    cpus: float
    gpus: float


class NodeMeter:
    """Adds up node-seconds and money; pure.

    Args:
        price: of nodes by their types; of the others by their CPUs and GPUs.
        before: what earlier runs of the experiment have counted; None if there was none.
        now: seconds, on a clock that never goes back.
    """

    def __init__(self, price: PriceSpec, before: NodesCounted | None, now: float) -> None:
        self._price = price
        self._seconds = dict(before.node_seconds) if before else {}
        self._cost = before.cost if before else 0.0
        self._there: list[SeenNode] = []
        self._looked = now
        self._recorded: tuple[float, Mapping[str, int]] = (-RECORD_S, {})

    def look(self, there: list[SeenNode], now: float) -> NodesCounted | None:
        """Count what has been there since the last look; a record if there is something to tell."""
        elapsed, self._looked = now - self._looked, now
        for node in self._there:
            self._seconds[node.kind] = self._seconds.get(node.kind, 0.0) + elapsed
            self._cost += elapsed / HOUR * self._an_hour(node)
        self._there = there
        nodes = {kind: sum(node.kind == kind for node in there) for kind in sorted({node.kind for node in there})}
        recorded, before = self._recorded
        if nodes == before and now - recorded < RECORD_S:
            return None
        self._recorded = (now, nodes)
        an_hour = round(sum(map(self._an_hour, there)), 6)
        seconds = {kind: round(amount, 1) for kind, amount in self._seconds.items()}
        return NodesCounted(nodes, seconds, round(self._cost, 6), an_hour)

    def _an_hour(self, node: SeenNode) -> float:
        price = self._price
        return price.node_hour.get(node.kind, node.cpus * price.cpu_hour + node.gpus * price.gpu_hour)


@contextlib.contextmanager
def counting_nodes(
    append: Callable[[NodesCounted], object], price: PriceSpec, before: NodesCounted | None
) -> Iterator[None]:
    """While the block runs, journal how many nodes there are; on a cluster without an autoscaler nothing changes."""
    if cluster_address() is None or not has_autoscaler():
        yield
        return
    meter, done = NodeMeter(price, before, time.monotonic()), threading.Event()

    def count() -> None:
        while True:
            with contextlib.suppress(RayError):  # the head is away for a moment: what is there is counted later
                record = meter.look(_nodes_there(), time.monotonic())
                if record is not None:
                    append(record)
            if done.wait(LOOK_S):
                return

    thread = threading.Thread(target=_until_it_fails, args=(count,), name="graft-node-meter", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(LOOK_S)


def _until_it_fails(count: Callable[[], None]) -> None:
    try:
        count()
    except (GraftError, RuntimeError, OSError) as error:
        _LOG.warning("nodes are counted no more, so search.budget.cost does not end the search: %s", error)


def _nodes_there() -> list[SeenNode]:
    cluster = get_cluster_status(ray.get_runtime_context().gcs_address)
    found = []
    for node in (*cluster.active_nodes, *cluster.idle_nodes):
        has = {one.resource_name: one.total for one in node.resource_usage.usage}
        found.append(SeenNode(node.ray_node_type_name, has.get("CPU", 0.0), has.get("GPU", 0.0)))
    return found
