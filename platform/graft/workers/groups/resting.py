"""Which worker groups have been let go, because a search will not need them any more. Decisions only; nothing waits."""

from collections.abc import Sequence


class Resting:
    """Groups whose workers leave, and give back the node they are on.

    A search that has no trials to begin needs a group for each that still trains, and for no other. Groups rest until
    `keep` asks for more of them: the next phase of a search may.

    Args:
        groups: how many there are.
    """

    def __init__(self, groups: int) -> None:
        self._groups = self._wanted = groups
        self._resting: set[int] = set()

    def has(self, group: int) -> bool:
        """Whether a group has been let go."""
        return group in self._resting

    def keep(self, count: int) -> None:
        """So many are needed from now on, at least one; the first of those that rest come back if there are fewer."""
        self._wanted = max(1, min(count, self._groups))
        while self._groups - len(self._resting) < self._wanted:
            self._resting.remove(min(self._resting))

    def choose(self, free: Sequence[int], waiting: int) -> list[int]:
        """Let go of as many as are not needed, and return them.

        Args:
            free: groups that nobody holds.
            waiting: trials that want one.
        """
        candidates = [group for group in free if group not in self._resting]
        surplus = min(self._groups - len(self._resting) - self._wanted, len(candidates) - waiting)
        chosen = candidates[len(candidates) - surplus :] if surplus > 0 else []
        self._resting |= set(chosen)
        return chosen
