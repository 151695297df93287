"""Where trials that need workers and workers that need orders meet: one asyncio actor (Ray 2.60).

All waiting happens here: an idle worker has one call pending and costs nothing, an order reaches it in a few
milliseconds, and no rank ever waits for another one by polling.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayError

from graft.workers.groups.broadcast import Broadcast
from graft.workers.groups.messages import Command, Ended, Item, Limits, Member, Order, Place, Ticket, WorkStatus
from graft.workers.groups.run_record import RunRecord
from graft.workers.groups.work_queue import OrderBook, Work

TICK_S = 0.5
ATTEND_S = 0.5
# How often it is asked which nodes are there.
LOOK_S = 5.0


@dataclass
class LeaseRecord:
    """A trial that holds a group, or waits for one (`group` is None)."""

    renewed: float
    waiting_since: float
    group: int | None = None


@dataclass(frozen=True)
class LeaseReply:
    """The answer to one who wants a group: its number, or why there will be none; neither means to go on waiting."""

    group: int | None = None
    reason: str = ""


class Exchange:
    """The state of all groups of one `WorkerGroups`, and who leases which.

    Args:
        groups: how many worker groups there are.
        limits: how patient to be.
        clock: seconds, monotonic.
    """

    def __init__(self, groups: int, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._books = [OrderBook(limits.max_failures) for _ in range(groups)]
        self._records = [RunRecord(limits) for _ in range(groups)]
        self._bells = [Broadcast() for _ in range(groups)]
        self._leases: dict[str, LeaseRecord] = {}
        self._counter = Broadcast()
        self._is_closing = False
        self._attending: set[asyncio.Task[None]] = set()

    # --- the workers ---

    async def join(self, member: Member, place: Place) -> None:
        """A worker is up; the first of a new incarnation means that the previous one is gone."""
        book, record = self._books[member.group], self._records[member.group]
        if book.is_up and book.is_stale(member):
            record.lose_workers(self._clock())
        book.join(member, place)
        if book.is_up:
            record.come_up()
        self._changed(member.group)

    async def next_order(self, member: Member, ended: Ended | None = None) -> Order | None:
        """Wait for the next order, having left the previous one; None means that the worker has to go."""
        book = self._books[member.group]
        if book.is_stale(member):
            return None
        if ended is not None:
            book.end(member, ended, self._clock())
        book.rest(member)
        self._changed(member.group)
        order: list[Order] = []

        def is_answered() -> bool:
            if not self._is_gone(member) and (taken := book.take(member)):
                order.append(taken)
            return bool(order) or self._is_gone(member)

        await self._bells[member.group].until(is_answered)
        return order[0] if order else None

    async def fail(self, member: Member, ended: Ended) -> None:
        """This rank's work raised an error; it will ask for its next order when it has cleaned up."""
        if not self._books[member.group].is_stale(member):
            self._books[member.group].end(member, ended, self._clock())
            self._changed(member.group)

    async def give_up(self, member: Member, reason: str) -> None:
        """This worker can never do its work, and neither could another one in its place."""
        self._records[member.group].reason = reason
        self._books[member.group].fail(reason)
        self._changed(member.group)

    async def report(self, member: Member, ticket: Ticket, number: int, value: bytes) -> bool:
        """Report, and wait until the leaseholder asks for more (True) or the order is abandoned (False)."""
        book = self._books[member.group]
        if book.is_stale(member, ticket):
            return False
        book.report(member, number, value)
        self._changed(member.group)

        def is_decided() -> bool:
            return book.is_stale(member, ticket) or (book.work is not None and number in book.work.verdicts)

        await self._bells[member.group].until(is_decided)
        return not book.is_stale(member, ticket) and book.work is not None and book.work.verdicts[number]

    async def watch(self, member: Member, seen: Ticket | None) -> tuple[Command, Ticket | None]:
        """Wait until this worker's listener has something to do; `seen` is the attempt it was last told to stop."""
        book = self._books[member.group]
        await self._bells[member.group].until(lambda: book.command(member, seen) is not None)
        return book.command(member, seen) or Command.WAIT, book.work.ticket if book.work else None

    async def stop_line(self, member: Member, ticket: Ticket, count: int) -> int | None:
        """Tell how many checks this rank has passed; learn at which one all ranks stop. None: it no longer matters."""
        book = self._books[member.group]

        def is_over() -> bool:
            return book.is_stale(member, ticket) or book.is_condemned

        if book.work is not None and not is_over():
            book.work.counts[member.rank] = count
            self._changed(member.group)
        await self._bells[member.group].until(lambda: is_over() or book.stop_line is not None)
        return None if is_over() else book.stop_line

    async def meet(self, member: Member, generation: int, address: tuple[str, int] | None) -> tuple[str, int] | None:
        """Agree where the process group of this generation is set up: rank 0 brings the address, the others wait."""
        book = self._books[member.group]
        if address is not None and not book.is_stale(member):
            book.meetings[generation] = address
            self._changed(member.group)
        await self._bells[member.group].until(lambda: book.is_stale(member) or generation in book.meetings)
        return None if book.is_stale(member) else book.meetings[generation]

    # --- the leaseholders ---

    async def acquire(self, lease: str, holder: Any) -> LeaseReply:
        """Wait, for a short while, for a free group; to be called again until it is granted or refused.

        Args:
            lease: its name.
            holder: handle of the actor that wants it, whose death ends the lease at once; None if it is no actor.
        """
        if lease not in self._leases:
            self._leases[lease] = LeaseRecord(self._clock(), self._clock())
            if holder is not None:
                attending = asyncio.create_task(self._attend(lease, holder))
                self._attending.add(attending)
                attending.add_done_callback(self._attending.discard)
        self._changed()

        def is_answered() -> bool:
            record = self._leases.get(lease)
            return record is None or record.group is not None or bool(self._refusal())

        await self._counter.until(is_answered, self._limits.poll_s)
        record = self._leases.get(lease)
        if record is not None and record.group is not None:
            return LeaseReply(record.group)
        return LeaseReply(reason=self._refusal())

    async def renew(self, lease: str) -> None:
        """The leaseholder is alive."""
        if lease in self._leases:
            self._leases[lease].renewed = self._clock()

    async def release(self, lease: str) -> None:
        """The leaseholder wants no more; what it had ordered is abandoned."""
        record = self._leases.pop(lease, None)
        if record is not None and record.group is not None:
            self._books[record.group].abandon(self._clock())
            self._changed(record.group)

    async def submit(self, lease: str, name: str, body: bytes) -> bool:
        """Give the leased group an order; False if it has, for a short while, not been ready to take one."""
        book = self._book(lease)
        if book is None:
            return True
        group = self._books.index(book)
        is_ready = await self._bells[group].until(lambda: book.work is None, self._limits.poll_s)
        if not is_ready or self._book(lease) is not book:
            return False
        book.submit(name, body)
        if self._records[group].reason:
            book.fail(self._records[group].reason)
        self._changed(group)
        return True

    async def next_item(self, lease: str, name: str) -> Item:
        """Wait, for a short while, for news of the order; asking lets the workers go on after the report seen last."""
        book = self._book(lease)
        if book is None:
            return self._without_group(lease)
        group = self._books.index(book)
        item: list[Item] = []

        def has_news() -> bool:
            if not item and _is_about(book.work, name) and (news := book.show_next()):
                item.append(news)
            return bool(item) or not _is_about(book.work, name)

        has_news()
        self._changed(group)
        await self._bells[group].until(has_news, self._limits.poll_s)
        if item:
            return item[0]
        if _is_about(book.work, name):
            return Item(WorkStatus.WAIT)
        return (
            Item(WorkStatus.FAILED, reason="it was abandoned")
            if self._book(lease) is book
            else self._without_group(lease)
        )

    async def abandon(self, lease: str, name: str) -> None:
        """Let the workers leave the order at their next step."""
        book = self._book(lease)
        if book is not None and _is_about(book.work, name):
            book.abandon(self._clock())
            self._changed(self._books.index(book))

    async def is_starved(self) -> bool:
        """Whether a trial has waited so long for a group that those who hold one and do not need it should let go."""
        latest = self._clock() - self._limits.move_s
        return any(record.group is None and record.waiting_since < latest for record in self._leases.values())

    async def nodes(self, lease: str) -> tuple[str, ...]:
        """The nodes on which the leased group's workers run now."""
        book = self._book(lease)
        return tuple(sorted({place.node for place in book.places.values()})) if book else ()

    # --- the host of the Train runs, and the driver ---

    async def wanted(self, group: int) -> bool:
        """Wait until this group should be started (again); False when it never will be."""
        book, record = self._books[group], self._records[group]

        def is_needed() -> bool:
            is_waited_for = any(lease.group is None for lease in self._leases.values())
            return not record.has_begun or book.work is not None or is_waited_for

        await self._bells[group].until(lambda: self._is_closing or bool(record.reason) or is_needed())
        if self._is_closing or record.reason:
            return False
        record.begin(book.orders_ended, self._clock())
        return True

    async def run_ended(self, group: int, reason: str) -> None:
        """A Train run is over, its workers are gone; after too many good for nothing, the group is given up."""
        book, record = self._books[group], self._records[group]
        record.end(book.orders_ended, book.is_up, reason)
        book.end_incarnation()
        if record.reason:
            book.fail(record.reason)
        self._changed(group)

    async def close(self) -> None:
        """Send all workers away; running orders are abandoned."""
        self._is_closing = True
        self._leases.clear()
        for group, book in enumerate(self._books):
            book.abandon(self._clock())
            self._changed(group)

    async def are_up(self) -> bool:
        """Whether every group has all its workers."""
        return all(book.is_up for book in self._books)

    async def keep_time(self) -> None:
        """Look at the clock, and now and then at the cluster, for ever."""
        looked = self._clock()
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()
            if self._clock() - looked >= LOOK_S:
                looked = self._clock()
                self.lose_nodes({node["NodeID"] for node in ray.nodes() if node["Alive"]})

    def lose_nodes(self, alive: Collection[str]) -> None:
        """Note which groups have workers on nodes that are gone: Train tells only when it has others in their place."""
        now = self._clock()
        for book, record in zip(self._books, self._records, strict=True):
            is_hit = any(place.node not in alive for place in book.places.values())
            if is_hit and not record.is_down(now):
                record.lose_workers(now)

    def tick(self) -> None:
        """Take back leases of the dead, end workers that do not leave, give up groups that do not come up."""
        now = self._clock()
        for lease in [name for name, record in self._leases.items() if record.renewed + self._limits.lease_s < now]:
            record = self._leases.pop(lease)
            if record.group is not None:
                self._books[record.group].abandon(now)
                self._changed(record.group)
        self._move_leases(now)
        for group, book in enumerate(self._books):
            if self._records[group].is_late(now):
                book.fail(self._records[group].reason)
                self._changed(group)
            if book.condemn_late(now - self._limits.leave_s):
                self._changed(group)

    # --- inside ---

    async def _attend(self, lease: str, holder: Any) -> None:
        """End the lease when its holder dies. A call to an actor that dies fails at once; one to an actor that is busy
        waits, and one that is pending does not keep it from exiting."""
        while lease in self._leases:
            try:
                await holder.__ray_ready__.remote()
            except ActorDiedError:
                await self.release(lease)
            except RayError:
                pass  # cannot be reached at the moment; the lease runs out if that lasts
            await asyncio.sleep(ATTEND_S)

    def _move_leases(self, now: float) -> None:
        """Let those whose group is down wait for any; their orders begin anew, from what is on the disk."""
        for record in self._leases.values():
            group = record.group
            if group is not None and self._records[group].is_down(now, self._limits.move_s) and len(self._books) > 1:
                self._books[group].drop(now)
                record.group, record.waiting_since = None, now
                self._changed(group)

    def _is_gone(self, member: Member) -> bool:
        return self._is_closing or self._books[member.group].is_stale(member)

    def _without_group(self, lease: str) -> Item:
        """What the leaseholder is told whose group is no longer its own."""
        if lease in self._leases:
            return Item(WorkStatus.MOVED)
        return Item(WorkStatus.FAILED, reason="the lease of its workers has run out")

    def _book(self, lease: str) -> OrderBook | None:
        record = self._leases.get(lease)
        return None if record is None or record.group is None else self._books[record.group]

    def _refusal(self) -> str:
        """Why no group will ever be free; empty while one may."""
        if self._is_closing:
            return "the workers have been sent away"
        reasons = [record.reason for record in self._records]
        return reasons[0] if all(reasons) else ""

    def _changed(self, group: int | None = None) -> None:
        """Hand out free groups in the order of asking, then wake who waits."""
        taken = {record.group for record in self._leases.values()}
        free = [index for index, book in enumerate(self._books) if book.is_idle and index not in taken]
        waiting = [record for record in self._leases.values() if record.group is None]
        for record, index in zip(waiting, free, strict=False):
            record.group = index
        for index, bell in enumerate(self._bells):
            if group in (None, index) or waiting:
                bell.ring()
        self._counter.ring()


def _is_about(work: Work | None, name: str) -> bool:
    return work is not None and work.name == name
