"""Processes that are placed together or not at all, and where they find room. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from graft.clusters.node_types import NodeType

Amounts = Mapping[str, float]
# Ray counts in ten-thousandths.
_SCALE = 10_000


@dataclass(frozen=True)
class Gang:
    """A placement group of Ray: `workers` bundles of the same size.

    Attributes:
        workers: how many processes.
        resources: of each, by Ray's names.
        placement: ``pack`` puts them on as few nodes as possible, ``spread`` on as many.
        labels: that their nodes must have.
    """

    workers: int
    resources: Amounts
    placement: Literal["pack", "spread"] = "pack"
    labels: Mapping[str, str] = field(default_factory=dict)

    def suits(self, kind: NodeType) -> bool:
        """Whether a node type has the labels that are asked for."""
        return all(kind.labels.get(name) == value for name, value in self.labels.items())

    def __str__(self) -> str:
        each = " and ".join(f"{amount:g} {kind}" for kind, amount in self.resources.items() if amount)
        what = f"{self.workers} worker{'s' if self.workers > 1 else ''} with {each or 'nothing'} each"
        return f"{what} on {' '.join(self.labels.values())}" if self.labels else what


def room_for(free: Amounts, each: Amounts) -> int:
    """How many bundles of a size there is room for."""
    wanted = {kind: amount for kind, amount in each.items() if amount}
    if not wanted:
        return 10**6
    return min(round(free.get(kind, 0.0) * _SCALE) // round(amount * _SCALE) for kind, amount in wanted.items())


def place(gang: Gang, free: Mapping[str, Amounts]) -> dict[str, int] | None:
    """Bundles a node, or None if they do not all find room.

    Packed, the fullest nodes that still have room come first, so that others become idle: so Ray's scheduler does.

    Args:
        gang: what is placed.
        free: what is free on each node.
    """
    rooms = {node: room_for(amounts, gang.resources) for node, amounts in free.items()}
    fullest = sorted((node for node, room in rooms.items() if room), key=lambda node: rooms[node])
    if sum(rooms[node] for node in fullest) < gang.workers:
        return None
    if gang.placement == "spread":
        return _spread(gang.workers, rooms, fullest)
    # One node for all of them, before several are begun.
    alone = [node for node in fullest if rooms[node] >= gang.workers]
    return _fill(gang.workers, rooms, alone[:1] or reversed(fullest))


def _fill(workers: int, rooms: Mapping[str, int], nodes: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in nodes:
        if workers:
            found[node] = min(rooms[node], workers)
            workers -= found[node]
    return found


def _spread(workers: int, rooms: Mapping[str, int], nodes: list[str]) -> dict[str, int]:
    found = dict.fromkeys(nodes, 0)
    while workers:
        for node in [one for one in nodes if found[one] < rooms[one]][:workers]:
            found[node] += 1
            workers -= 1
    return {node: count for node, count in found.items() if count}
