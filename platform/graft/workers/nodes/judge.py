"""What is worth telling of a cluster's nodes. Pure: whoever looks says what is seen, and what time it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

# A node that has not answered for so long is told of; Ray gives it up some time later (`RAY_health_check_*`).
SILENT_S = 20.0
# Whoever has not looked for so long was stopped itself, and knows nothing.
ABSENCE_S = 15.0


class NodeState(StrEnum):
    """What has become of a node."""

    SILENT = "silent"
    BACK = "back"
    LEAVING = "leaving"
    GONE = "gone"


@dataclass(frozen=True)
class NodeLook:
    """One look at a node.

    Attributes:
        address: what users call it, ``10.77.0.12``.
        host: its machine's name for itself.
        is_alive: the head counts on it.
        answers: it takes a connection.
        leaves_in: seconds until it is taken away; 0 where nobody says when, None where it stays.
    """

    address: str
    host: str = ""
    is_alive: bool = True
    answers: bool = True
    leaves_in: float | None = None


@dataclass(frozen=True)
class NodeNews:
    """Something that is told once.

    Attributes:
        node: Ray's id of it.
        address: what users call it.
        host: its machine's name for itself.
        state: what has become of it.
        seconds: without an answer, or until it leaves.
    """

    node: str
    address: str
    host: str
    state: NodeState
    seconds: float


@dataclass
class _Seen:
    answered_at: float
    told: NodeState | None = None
    is_leaving: bool = False


class NodeJudge:
    """Remembers when each node has answered, and what was told of it."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._looked: float | None = None

    def look(self, nodes: Mapping[str, NodeLook], now: float) -> list[NodeNews]:
        """What is new; nodes that were lost before anybody looked are none of ours.

        Args:
            nodes: by Ray's ids.
            now: seconds of a clock that never goes back.
        """
        was_absent = self._looked is not None and now - self._looked > ABSENCE_S
        self._looked = now
        found = []
        for name, node in nodes.items():
            if name not in self._seen and not node.is_alive:
                continue
            seen = self._seen.setdefault(name, _Seen(now))
            if was_absent and seen.told is None:
                seen.answered_at = now
            news = self._judge(seen, node, now)
            found += [NodeNews(name, node.address, node.host, state, seconds) for state, seconds in news]
        return found

    def _judge(self, seen: _Seen, node: NodeLook, now: float) -> list[tuple[NodeState, float]]:
        silent, before = now - seen.answered_at, seen.told
        if not node.is_alive:
            seen.told = NodeState.GONE
            return [] if before is NodeState.GONE else [(NodeState.GONE, silent)]
        news = []
        if node.leaves_in is not None and not seen.is_leaving:
            seen.is_leaving = True
            news.append((NodeState.LEAVING, node.leaves_in))
        if node.answers:
            seen.answered_at, seen.told = now, None
            return [*news, (NodeState.BACK, silent)] if before is NodeState.SILENT else news
        if silent < SILENT_S or before is not None:
            return news
        seen.told = NodeState.SILENT
        return [*news, (NodeState.SILENT, silent)]
