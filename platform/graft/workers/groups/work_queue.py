"""One worker group as the coordinator sees it: who is there, and the order they work on. Decisions only; nothing waits.

The ranks of a group call the coordinator at the same points of the work function, but not at the same time: a verdict
and a stop must reach all of them at the same point, or one would wait for the others in a collective operation.
"""

from dataclasses import dataclass, field

from graft.workers.groups.messages import Command, Ended, Member, Order, Ticket, WorkerLocation, WorkStatus, WorkUpdate


@dataclass
class Work:
    """One order, and how far its present attempt has come.

    Attributes:
        failures: attempts that ended with workers that died while their nodes were there.
        ended_by: what ended the attempt before this one; empty for the first.
        handed: ranks that have not fetched the order yet, once it is under way.
        ended: rank → error ("" if it returned) of those that have left the work function.
        counts: rank → how often it had asked whether to stop, when it was told that it will have to.
        asked: numbers of the reports that any rank has made.
        values: number of a report → what rank 0 reported and nobody has fetched.
        verdicts: number of a report → whether the work goes on after it.
        shown: number of the report that the leaseholder holds at the moment.
    """

    name: str
    body: bytes
    attempt: int = 0
    failures: int = 0
    ended_by: str = ""
    is_under_way: bool = False
    is_abandoned: bool = False
    error: str = ""
    outcome: WorkUpdate | None = None
    stopping_since: float | None = None
    handed: set[int] = field(default_factory=set)
    ended: dict[int, str] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    values: dict[int, bytes] = field(default_factory=dict)
    verdicts: dict[int, bool] = field(default_factory=dict)
    shown: int | None = None

    @property
    def ticket(self) -> Ticket:
        return Ticket(self.name, self.attempt)

    def next_attempt(self, is_failure: bool) -> None:
        """Forget all that belongs to the attempt whose workers died."""
        self.attempt, self.failures = self.attempt + 1, self.failures + is_failure
        self.ended_by = "a worker died" if is_failure else "a node of its workers has left"
        self.is_under_way, self.error, self.stopping_since, self.shown = False, "", None, None
        for record in (self.handed, self.ended, self.counts, self.asked, self.values, self.verdicts):
            record.clear()


class WorkQueue:
    """The state of one worker group.

    Attributes:
        places: rank → where it runs, of the incarnation that lives now.
        orders_ended: how many orders have come to an end, whichever; shows that a run was good for something.
        is_excused: the workers of this incarnation die with their node, which is no failure of the order.
    """

    def __init__(self, max_failures: int) -> None:
        self.places: dict[int, WorkerLocation] = {}
        self.orders_ended = 0
        self.work: Work | None = None
        self.is_terminating = self.is_excused = False
        self.meetings: dict[int, tuple[str, int]] = {}
        self._max_failures = max_failures
        self._incarnation = ""
        self._resting: set[int] = set()
        self._generation = 0
        self._is_broken = False

    @property
    def size(self) -> int:
        return next((place.size for place in self.places.values()), 0)

    @property
    def is_up(self) -> bool:
        return bool(self.places) and len(self.places) == self.size

    @property
    def is_idle(self) -> bool:
        return self.is_up and self.work is None and len(self._resting) == self.size and not self.is_terminating

    @property
    def stop_check(self) -> int | None:
        """The first check, counted from 1, at which every rank stops; None until all have told how far they are."""
        if self.work is None or len(self.work.counts) < self.size:
            return None
        return max(self.work.counts.values()) + 1

    def is_stale(self, member: Member, ticket: Ticket | None = None) -> bool:
        """Whether this process, or the attempt it speaks of, is a thing of the past."""
        if member.incarnation != self._incarnation:
            return True
        return ticket is not None and (self.work is None or self.work.ticket != ticket)

    def join(self, member: Member, place: WorkerLocation) -> None:
        """A worker has started; the first of a new incarnation ends the previous one."""
        if member.incarnation != self._incarnation:
            self.end_incarnation()
            self._incarnation = member.incarnation
        self.places[member.rank] = place

    def end_incarnation(self) -> None:
        """The workers are gone; an order they had begun is begun again by the next ones, unless it died too often."""
        is_excused = self.is_excused
        self._incarnation, self._generation, self._is_broken = "", 0, False
        self.is_terminating = self.is_excused = False
        for record in (self.places, self._resting, self.meetings):
            record.clear()
        work = self.work
        if work is None or work.outcome:
            return
        if work.is_abandoned:
            self._close(None)
        elif work.is_under_way and not is_excused and work.failures == self._max_failures:
            self.fail(f"its workers died {work.attempt + 1} times")
        elif work.is_under_way:
            work.next_attempt(is_failure=not is_excused)

    def submit(self, name: str, body: bytes) -> None:
        self.work = Work(name, body)
        self._start_if_ready()

    def rest(self, member: Member) -> None:
        """This rank waits for an order."""
        self._resting.add(member.rank)
        self._start_if_ready()

    def take(self, member: Member) -> Order | None:
        """The order, if it is under way and this rank has not fetched it yet."""
        work = self.work
        if work is None or member.rank not in work.handed:
            return None
        work.handed.remove(member.rank)
        return Order(work.ticket, work.body, self._generation, work.ended_by)

    def end(self, member: Member, ended: Ended, now: float) -> None:
        """This rank has left the work function. An error of one ends the work of all, and breaks the process group: a
        collective operation may have been cut off on some ranks only."""
        work = self.work
        self._is_broken = self._is_broken or bool(ended.error)
        if work is None or work.ticket != ended.ticket:
            return
        work.ended[member.rank] = ended.error
        if ended.error and not work.error:
            work.error = ended.error
            self._stop(work, now)
        if len(work.ended) == self.size:
            self.orders_ended += 1
            self._close(WorkUpdate(WorkStatus.FAILED, reason=work.error) if work.error else WorkUpdate(WorkStatus.DONE))

    def report(self, member: Member, number: int, value: bytes) -> None:
        """This rank has reported; the leaseholder sees what rank 0 says."""
        work = self.work
        if work is None:
            return
        work.asked.add(number)
        if member.rank == 0:
            work.values[number] = value
        if work.stopping_since is not None:
            work.verdicts.setdefault(number, False)

    def next_update(self) -> WorkUpdate | None:
        """What the leaseholder has not seen; asking for it lets the workers go on after the report it holds."""
        work = self.work
        if work is None:
            return None
        if work.shown is not None:
            work.verdicts.setdefault(work.shown, True)
            work.shown = None
        if work.values:
            work.shown = min(work.values)
            return WorkUpdate(WorkStatus.REPORT, report=work.values.pop(work.shown))
        if work.outcome:
            self.work = None
        return work.outcome

    def abandon(self, now: float) -> None:
        """The leaseholder wants no more of its order; one that no worker has seen just goes."""
        work = self.work
        if work is None:
            return
        if work.outcome or not work.is_under_way:
            self.work = None
            return
        work.is_abandoned = True
        self._stop(work, now)

    def drop(self, now: float) -> None:
        """The order is somebody else's now; its workers are gone, so nobody will tell that it has ended."""
        self.abandon(now)
        if self.work is not None:
            self.end_incarnation()

    def fail(self, reason: str) -> None:
        """Tell the leaseholder that its order came to nothing."""
        if self.work is not None and self.work.outcome is None:
            self._close(WorkUpdate(WorkStatus.FAILED, reason=reason))

    def command(self, member: Member, seen: Ticket | None) -> Command | None:
        """What a worker's listener has to do; `seen` is the attempt it has stopped already."""
        if self.is_stale(member):
            return Command.LEAVE
        if self.is_terminating:
            return Command.DIE
        work = self.work
        is_new = work is not None and work.is_under_way and work.stopping_since is not None and work.ticket != seen
        return Command.STOP if is_new else None

    def terminate_late(self, latest: float) -> bool:
        """Whether the processes have to be ended: some rank has not left an order that was to stop before `latest`.

        An error is final only if all ranks are alive, which their counts show: if one died, its peers' errors follow
        from that, and the order is begun again.
        """
        work = self.work
        if self.is_terminating or work is None or work.stopping_since is None or work.stopping_since > latest:
            return False
        self.is_terminating = True
        if work.error and len(work.counts) == self.size:
            self.fail(work.error)
        return True

    def _start_if_ready(self) -> None:
        work = self.work
        if work is None or work.is_under_way or work.outcome or not self.is_up or len(self._resting) < self.size:
            return
        if self._is_broken:
            self._is_broken = False
            self._generation += 1
        work.is_under_way = True
        work.handed = set(self._resting)
        self._resting.clear()

    def _stop(self, work: Work, now: float) -> None:
        if work.stopping_since is None:
            work.stopping_since = now
        for number in work.asked:
            work.verdicts.setdefault(number, False)

    def _close(self, outcome: WorkUpdate | None) -> None:
        work = self.work
        if work is None:
            return
        work.outcome, work.stopping_since = outcome, None
        if work.is_abandoned or outcome is None:
            self.work = None
