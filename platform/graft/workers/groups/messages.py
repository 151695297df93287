"""What travels between the trial that leases a worker group, the coordinator, and the workers. Plain data, no Ray."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Member:
    """One worker process.

    Attributes:
        group: which of the worker groups it belongs to.
        incarnation: names the set of processes that started together; a restarted group has another one.
        rank: its rank in the process group.
    """

    group: int
    incarnation: str
    rank: int


@dataclass(frozen=True)
class WorkerLocation:
    """Where a worker runs, and with how many."""

    size: int
    node: str


@dataclass(frozen=True)
class Ticket:
    """One attempt at one order: every message about it carries this, so that late ones are recognised."""

    order: str
    attempt: int


@dataclass(frozen=True)
class Order:
    """What a worker is asked to do.

    Attributes:
        body: the pickled order; the coordinator never looks inside.
        generation: the process group this attempt needs; a worker with an older one rebuilds it first.
        ended_by: what ended the attempt before this one; empty for the first.
    """

    ticket: Ticket
    body: bytes
    generation: int
    ended_by: str = ""


@dataclass(frozen=True)
class Ended:
    """One worker has left the work function; `error` is empty if it returned."""

    ticket: Ticket
    error: str = ""


class Command(Enum):
    """What a worker's listener is told besides orders."""

    STOP = "stop"
    DIE = "die"
    LEAVE = "leave"
    WAIT = "wait"


class WorkStatus(Enum):
    """What the leaseholder learns about its order."""

    REPORT = "report"
    DONE = "done"
    FAILED = "failed"
    MOVED = "moved"
    WAIT = "wait"


@dataclass(frozen=True)
class WorkUpdate:
    """One piece of news: a pickled report of rank 0, or the reason of a failure."""

    status: WorkStatus
    report: bytes = b""
    reason: str = ""


@dataclass(frozen=True)
class Limits:
    """How patient the coordinator is, all in seconds but the counts.

    Attributes:
        max_failures: how often an order is begun again after its workers died.
        lease_s: a lease of a process that is no actor, and was not renewed for so long, is taken back.
        leave_s: workers that have not left an abandoned order after so long are ended.
        move_s: a lease of a group that has been down for so long is one of whichever group is free next.
        start_s: worker groups that are not up after so long are given up.
        barren_runs: runs in a row that ended without an order having ended; then the group is given up.
        poll_s: the longest a call of a leaseholder is held back; a pending call would keep its process from exiting.
    """

    max_failures: int = 3
    lease_s: float = 15.0
    leave_s: float = 60.0
    move_s: float = 45.0
    start_s: float = 300.0
    barren_runs: int = 3
    poll_s: float = 1.0


@dataclass
class LeaseRecord:
    """A trial that holds a group, or waits for one (`group` is None).

    Attributes:
        renewed: when its process has last shown a sign of life; None if it is an actor, of whose death Ray tells.
    """

    renewed: float | None
    waiting_since: float
    group: int | None = None

    def is_over(self, latest: float) -> bool:
        """Whether its process is taken for dead: the last sign of life was before `latest`."""
        return self.renewed is not None and self.renewed < latest


@dataclass(frozen=True)
class LeaseReply:
    """The answer to one who wants a group: its number, or why there will be none; neither means to go on waiting."""

    group: int | None = None
    reason: str = ""
