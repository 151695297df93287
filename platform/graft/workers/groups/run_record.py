"""The Train runs of one worker group: whether it is worth waiting for. Decisions only; nothing waits."""

from graft.workers.groups.messages import Limits


class RunRecord:
    """What is known of the runs so far.

    Attributes:
        reason: why the group will not come up any more; empty while it may.
    """

    def __init__(self, limits: Limits) -> None:
        self.reason = ""
        self._limits = limits
        self._runs = 0
        self._barren = 0
        self._orders_before = 0
        self._starting_since: float | None = None

    @property
    def has_begun(self) -> bool:
        return self._runs > 0

    def begin(self, orders_ended: int, now: float) -> None:
        """Another run is started; `orders_ended` counts those of all runs."""
        self._runs += 1
        self._orders_before = orders_ended
        if self._starting_since is None:
            self._starting_since = now

    def lose_workers(self, now: float) -> None:
        """The workers have died; Train starts others, in the same run."""
        self._starting_since = now

    def is_down(self, now: float, seconds: float = 0.0) -> bool:
        """Whether its workers have been gone, or on their way, for at least so long."""
        return self._starting_since is not None and self._starting_since + seconds <= now

    def rest(self) -> None:
        """It has been let go: it is neither late nor good for nothing."""
        self._starting_since, self._barren = None, 0

    def come_up(self) -> None:
        """All workers are there; if the group had been given up, it is welcome again."""
        self._starting_since, self.reason = None, ""

    def end(self, orders_ended: int, was_up: bool, reason: str) -> None:
        """The run is over. One that did not bring a single order to an end was good for nothing."""
        if was_up:
            self._starting_since = None
        self._barren = self._barren + 1 if orders_ended == self._orders_before else 0
        if self._barren >= self._limits.barren_runs:
            self.reason = reason

    def is_late(self, now: float) -> bool:
        """Whether it has just been too long that the group is coming up; then it is given up."""
        since = self._starting_since
        if self.reason or since is None or since + self._limits.start_s >= now:
            return False
        self.reason = f"they have not come up within {self._limits.start_s:g} s"
        return True
