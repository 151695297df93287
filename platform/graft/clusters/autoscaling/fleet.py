"""The nodes of a cluster that grows and shrinks, in simulated time, as Ray's autoscaler would have them.

The model (autoscaler version 2 of Ray 2.60): what waits and fits on no node that is there or on its way brings nodes;
of several kinds that fit, those without a GPU come first for what needs none, then those that it fills best, then the
higher `priority`, then the order of the file. A node is paid for from the moment it is asked for; it can be used
`startup_s` later; it leaves when it has been idle for the cluster's time-out, or soon after graft has let it go.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from graft.clusters.autoscaling.gang import Gang, place, room_for
from graft.clusters.autoscaling.packing import node_to_empty
from graft.clusters.node_types import ClusterNodes, NodeType

# A node that is drained ends its Ray when nothing runs there any more; the autoscaler sees that in its next turns.
DRAINED_S = 15.0


@dataclass
class FleetNode:
    """One node, from its launch to its end.

    Attributes:
        launched: when it was asked for.
        up: when it can be used.
        ended: when it left; infinity as long as it has not.
        used: bundles of each gang on it.
        idle_since: when the last one left it.
        is_known: there was one on it.
    """

    name: str
    kind: NodeType
    launched: float
    up: float
    ended: float = math.inf
    used: dict[str, int] = field(default_factory=dict)
    idle_since: float = 0.0
    is_known: bool = False


class Fleet:
    """Places gangs, and brings nodes for those that find no room; a `Room` where all gangs are alike.

    Args:
        cluster: the kinds of nodes there may be.
        gang: what one that only gives its name asks for.
        startup_s: seconds from a launch to a node that can be used.
        most: nodes at once, where that is less than the cluster allows.
    """

    def __init__(self, cluster: ClusterNodes, gang: Gang, startup_s: float, most: int | None = None) -> None:
        self._cluster, self._gang, self._startup = cluster, gang, startup_s
        self._most = min(cluster.most, cluster.most if most is None else most)
        self.nodes: list[FleetNode] = []
        self._waiting: dict[str, Gang] = {}
        self._running: dict[str, tuple[Gang, list[FleetNode]]] = {}
        self._placed: list[str] = []
        self._now = 0.0
        for kind in cluster.workers:
            for _ in range(kind.least):
                self._launch(kind, -startup_s)

    def ask(self, trial: str, now: float, gang: Gang | None = None) -> None:
        """One wants room; `placed` says when it has it."""
        self._waiting[trial] = gang or self._gang
        self._settle(now)

    def leave(self, trial: str, now: float) -> None:
        """One needs its room no more."""
        self._waiting.pop(trial, None)
        _, nodes = self._running.pop(trial, (None, []))
        for node in nodes:
            del node.used[trial]
            node.idle_since = now
        self._settle(now)

    def placed(self, now: float) -> list[str]:
        """Who has got room since this was asked last."""
        self._settle(now)
        placed, self._placed = self._placed, []
        return placed

    def pack(self, now: float, may_move: Collection[str]) -> list[str]:
        """Let nodes go whose trials have ended, and move trials of one process each together, as graft does on a
        cluster that grows; returns those moved.
        """
        self._let_go(now)
        moved: list[str] = []
        while node := self._to_empty(set(may_move) - set(moved)):
            node.ended = now + DRAINED_S
            for trial in [*node.used]:
                gang, _ = self._running[trial]
                del node.used[trial]
                (other,) = place(gang, {one.name: self._free(one) for one in self._alive() if one.used}) or {}
                self._running[trial] = (gang, [one for one in self._alive() if one.name == other])
                self._running[trial][1][0].used[trial] = 1
                moved.append(trial)
        return moved

    def next_change(self) -> float:
        """When the next node comes up for those that wait."""
        return min((node.up for node in self._alive() if node.up > self._now), default=math.inf)

    def clear(self, now: float) -> None:
        """Nobody wants room any more."""
        for trial in [*self._waiting, *self._running]:
            self.leave(trial, now)

    def end(self, now: float) -> float:
        """Let all nodes leave by their time-out; returns when the last one has."""
        self._settle(now)
        for node in self._alive():
            if node.kind.least == 0:
                node.ended = node.idle_since + self._cluster.idle_seconds
        return max([now, *(node.ended for node in self.nodes if node.ended < math.inf)])

    def _let_go(self, now: float) -> None:
        alive = self._alive()
        if self._gang.workers > 1 or not self._cluster.is_elastic or not any(node.used for node in alive):
            return
        for node in alive:
            if node.is_known and not node.used and not node.kind.least:
                node.ended = now + DRAINED_S

    def _to_empty(self, may_move: Collection[str]) -> FleetNode | None:
        if self._gang.workers > 1 or not self._cluster.is_elastic:
            return None
        busy = {node.name: node for node in self._alive() if node.used}
        room = {name: room_for(self._free(node), self._gang.resources) for name, node in busy.items()}
        movable = {
            name: len(node.used)
            for name, node in busy.items()
            if not node.kind.least and set(may_move).issuperset(node.used)
        }
        found = node_to_empty(movable, room)
        return None if found is None else busy[found]

    def _settle(self, now: float) -> None:
        self._now = now
        self._expire(now)
        if not self._waiting:
            return
        free = {node.name: self._free(node) for node in self._alive()}
        up = {node.name for node in self._alive() if node.up <= now}
        for trial, gang in list(self._waiting.items()):
            suiting = {node.name for node in self._alive() if gang.suits(node.kind)}
            found = place(gang, {name: amounts for name, amounts in free.items() if name in up & suiting})
            if found is not None:
                self._begin(trial, gang, found)
                del self._waiting[trial]
            else:
                found = self._bring(gang, now, free)
            for name, count in (found or {}).items():
                free[name] = _without(free[name], gang, count)

    def _expire(self, now: float) -> None:
        """Those leave that were idle for too long, while nobody waited for what they have."""
        for node in self._alive():
            due = max(node.idle_since, node.up) + self._cluster.idle_seconds
            if not node.used and due <= now and self._cluster.is_elastic and self._surplus(node.kind):
                node.ended = due

    def _surplus(self, kind: NodeType) -> bool:
        return sum(node.kind is kind for node in self._alive()) > kind.least

    def _bring(self, gang: Gang, now: float, free: dict[str, Mapping[str, float]]) -> dict[str, int] | None:
        """Where a gang will be, on nodes that are on their way or launched for it; None if there may not be as many."""
        before = len(self.nodes)
        suiting = {node.name: free[node.name] for node in self._alive() if gang.suits(node.kind)}
        while (found := place(gang, suiting)) is None:
            kind = self._best_kind(gang)
            if kind is None:
                for node in self.nodes[before:]:
                    del free[node.name]
                del self.nodes[before:]
                return None
            node = self._launch(kind, now)
            free[node.name] = suiting[node.name] = dict(kind.resources)
        return found

    def _best_kind(self, gang: Gang) -> NodeType | None:
        there = self._alive()
        counts = {kind.name: sum(node.kind is kind for node in there) for kind in self._cluster.workers}
        if not self._cluster.is_elastic or len(there) >= self._most:
            return None
        fitting = [kind for kind in self._cluster.workers if counts[kind.name] < kind.most]
        fitting = [kind for kind in fitting if gang.suits(kind) and room_for(kind.resources, gang.resources)]
        return max(fitting, key=lambda kind: _score(kind, gang), default=None)

    def _launch(self, kind: NodeType, now: float) -> FleetNode:
        up = now + self._startup
        node = FleetNode(f"{kind.name}-{len(self.nodes)}", kind, max(now, 0.0), up, idle_since=up)
        self.nodes.append(node)
        return node

    def _begin(self, trial: str, gang: Gang, found: Mapping[str, int]) -> None:
        nodes = [node for node in self.nodes if node.name in found]
        for node in nodes:
            node.used[trial] = found[node.name]
            node.is_known = True
        self._running[trial] = (gang, nodes)
        self._placed.append(trial)

    def _free(self, node: FleetNode) -> Mapping[str, float]:
        free: Mapping[str, float] = dict(node.kind.resources)
        for trial, count in node.used.items():
            free = _without(free, self._running[trial][0], count)
        return free

    def _alive(self) -> list[FleetNode]:
        return [node for node in self.nodes if node.ended == math.inf]


def _without(free: Mapping[str, float], gang: Gang, count: int) -> dict[str, float]:
    return {kind: amount - count * gang.resources.get(kind, 0.0) for kind, amount in free.items()}


def _score(kind: NodeType, gang: Gang) -> tuple[bool, float, float, int]:
    """As the autoscaler ranks kinds that fit."""
    count = min(room_for(kind.resources, gang.resources), gang.workers)
    spares_gpus = not kind.resources.get("GPU") or bool(gang.resources.get("GPU"))
    shares = {name: count * gang.resources.get(name, 0.0) / amount for name, amount in kind.resources.items() if amount}
    rates = [kind.resources[name] * share**3 for name, share in shares.items()]
    return spares_gpus, min(rates, default=0.0), sum(rates) / max(1, len(rates)), kind.priority
