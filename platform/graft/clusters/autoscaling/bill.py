"""Nodes over time, and what they cost."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graft.clusters.autoscaling.fleet import FleetNode
from graft.clusters.node_types import ClusterNodes
from graft.clusters.prices import Prices

HOUR = 3600.0


@dataclass(frozen=True)
class NodeCount:
    """Nodes of each kind from a moment on; those that are on their way count, as they are paid for."""

    seconds: float
    nodes: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.nodes.values())


@dataclass(frozen=True)
class Bill:
    """What a run pays for.

    Attributes:
        node_seconds: of workers, by kind; those at 0 included.
        cost: of each kind, and of the head; None where the table has no price.
        currency: of `cost`.
        date: of the prices.
    """

    node_seconds: dict[str, float]
    cost: dict[str, float | None]
    currency: str
    date: str

    @property
    def total(self) -> float | None:
        """All together; None if a price is missing that would count."""
        known = [one for one in self.cost.values() if one is not None]
        return round(sum(known), 4) if len(known) == len(self.cost) else None


def nodes_over_time(nodes: Sequence[FleetNode], kinds: Iterable[str], end: float) -> list[NodeCount]:
    """The moments at which the number of nodes changes, in order; the first is 0."""
    names = list(kinds)
    moments = sorted({0.0, end, *(node.launched for node in nodes), *(node.ended for node in nodes)} - {math.inf})
    found: list[NodeCount] = []
    for moment in moments:
        counts = dict.fromkeys(names, 0)
        for node in nodes:
            counts[node.kind.name] += node.launched <= moment < node.ended
        if not found or counts != found[-1].nodes:
            found.append(NodeCount(round(moment, 1), counts))
    return found


def bill(nodes: Sequence[FleetNode], cluster: ClusterNodes, prices: Prices, end: float) -> Bill:
    """What the nodes cost from 0 to `end`; of the head, all of that time."""
    seconds = {kind.name: 0.0 for kind in cluster.workers}
    for node in nodes:
        seconds[node.kind.name] += min(node.ended, end) - node.launched
    cost: dict[str, float | None] = {"head": _cost(prices.an_hour(cluster.head), end)}
    for kind in cluster.workers:
        if seconds[kind.name]:
            cost[kind.name] = _cost(prices.an_hour(kind), seconds[kind.name])
    rounded = {name: round(amount, 1) for name, amount in seconds.items()}
    return Bill(rounded, cost, prices.currency, prices.date)


def _cost(an_hour: float | None, seconds: float) -> float | None:
    return None if an_hour is None else round(an_hour * seconds / HOUR, 4)
