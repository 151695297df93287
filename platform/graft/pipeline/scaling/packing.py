"""Lets nodes go when no trial is to begin any more: those whose trials have ended, and those whose trials have room on
others (`graft.search.tuner`).
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from graft.clusters.autoscaling.gang import room_for
from graft.clusters.autoscaling.packing import node_to_empty
from graft.clusters.node_types import ClusterNodes
from graft.workers.allocation import Allocation
from graft.workers.nodes.draining import HEAD_AWAY, NodeUse, drain, let_go, nodes_there

_LOG = logging.getLogger(__name__)
MOVED = "moves to a node that others of this search are on, so that its own can leave"
# What a node's uses are compared by.
_KINDS = ("CPU", "GPU")


@dataclass(frozen=True)
class Packing:
    """Called with the trials that can move, by the nodes of the search, when no trial is to begin any more.

    Attributes:
        share: what a trial occupies.
        cluster: the nodes there may be.
        tell: told of each trial that moves.
        is_one_enough: what comes after the search needs one node.
    """

    share: Allocation
    cluster: ClusterNodes
    tell: Callable[[str, str], object]
    is_one_enough: bool = True

    def __call__(self, trials: Mapping[str, Sequence[str]]) -> None:
        try:
            nodes = nodes_there()
            for idle in to_let_go(trials, nodes, self.cluster) if self.is_one_enough else ():
                let_go(idle)
            node = to_empty(trials, [one for one in nodes if not one.is_idle], self.share, self.cluster)
            is_emptied = node is not None and drain(node)
        except HEAD_AWAY as error:  # the head is away: nobody has to move now
            _LOG.debug("nodes cannot be emptied: %s", error)
            return
        for trial in trials.get(node or "", ()) if is_emptied else ():
            self.tell(trial, MOVED)


def packing_of(
    share: Allocation,
    cluster: ClusterNodes | None,
    tell: Callable[[str, str], object],
    is_one_enough: bool = True,
) -> Callable[[Mapping[str, Sequence[str]]], None]:
    """What to call; does nothing where nodes stay, or trials have several workers."""
    if cluster is None or not cluster.is_elastic or share.workers > 1:
        return lambda trials: None
    return Packing(share, cluster, tell, is_one_enough)


def to_let_go(seen: Collection[str], nodes: Sequence[NodeUse], cluster: ClusterNodes) -> list[str]:
    """The idle nodes that this search has used and needs no more: the last one stays. Pure.

    Args:
        seen: nodes that its trials have been on.
        nodes: that are up.
        cluster: the nodes there may be.
    """
    mine = [one for one in nodes if one.node in seen]
    if all(one.is_idle for one in mine):
        return []  # what comes after the search takes the last one
    leaves = {kind.name for kind in cluster.workers if not kind.least}
    return [one.node for one in mine if one.is_idle and one.kind in leaves]


def to_empty(
    trials: Mapping[str, Sequence[str]], nodes: Sequence[NodeUse], share: Allocation, cluster: ClusterNodes
) -> str | None:
    """The node to empty: one that may leave, where nothing is but trials that can move. Pure.

    Args:
        trials: that can move, by their nodes.
        nodes: on which something is taken.
        share: what a trial occupies.
        cluster: the nodes there may be.
    """
    each = {"CPU": share.cpus, "GPU": share.gpus}
    suiting = {kind.name for kind in cluster.workers if share.labels.items() <= kind.labels.items()}
    leaves = {kind.name for kind in cluster.workers if not kind.least}
    room = {one.node: room_for(one.free, each) for one in nodes if one.kind in suiting}
    movable = {
        one.node: len(trials[one.node])
        for one in nodes
        if one.kind in leaves and one.node in trials and _is_all(one, len(trials[one.node]), each)
    }
    return node_to_empty(movable, room)


def _is_all(node: NodeUse, trials: int, each: Mapping[str, float]) -> bool:
    """Whether so many trials are all that is on a node."""
    return all(abs(node.used.get(kind, 0.0) - trials * each[kind]) < 1e-3 for kind in _KINDS)
