"""Where trials that need workers and workers that need orders meet: one asyncio actor (Ray 2.60).

All waiting happens here: an idle worker has one call pending and costs nothing, an order reaches it in a few
milliseconds, and no rank ever waits for another one by polling.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayError

from graft.workers.groups.broadcast import Broadcast
from graft.workers.groups.messages import (
    Command,
    Ended,
    LeaseRecord,
    LeaseReply,
    Limits,
    Member,
    Order,
    Ticket,
    WorkerLocation,
    WorkStatus,
    WorkUpdate,
)
from graft.workers.groups.resting import Resting
from graft.workers.groups.run_record import RunRecord
from graft.workers.groups.work_queue import Work, WorkQueue

TICK_S = 0.5
ATTEND_S = 0.5
# How often it is asked which nodes are there.
LOOK_S = 5.0


class Coordinator:
    """The state of all groups of one `WorkerGroups`, and who leases which.

    Args:
        groups: how many worker groups there are.
        limits: how patient to be.
        clock: seconds, monotonic.
    """

    def __init__(self, groups: int, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._queues = [WorkQueue(limits.max_failures) for _ in range(groups)]
        self._records = [RunRecord(limits) for _ in range(groups)]
        self._changes = [Broadcast() for _ in range(groups)]
        self._leases: dict[str, LeaseRecord] = {}
        self._lease_changes = Broadcast()
        self._is_closing = False
        self._resting = Resting(groups)
        self._attending: set[asyncio.Task[None]] = set()

    # --- the workers ---

    async def join(self, member: Member, place: WorkerLocation) -> None:
        """A worker is up; the first of a new incarnation means that the previous one is gone."""
        queue, record = self._queues[member.group], self._records[member.group]
        if queue.is_up and queue.is_stale(member):
            record.lose_workers(self._clock())
        queue.join(member, place)
        if queue.is_up:
            record.come_up()
        self._changed(member.group)

    async def next_order(self, member: Member, ended: Ended | None = None) -> Order | None:
        """Wait for the next order, having left the previous one; None means that the worker has to go."""
        queue = self._queues[member.group]
        if queue.is_stale(member):
            return None
        if ended is not None:
            queue.end(member, ended, self._clock())
        queue.rest(member)
        self._changed(member.group)
        order: list[Order] = []

        def is_answered() -> bool:
            if not self._is_gone(member) and (taken := queue.take(member)):
                order.append(taken)
            return bool(order) or self._is_gone(member)

        await self._changes[member.group].wait_for(is_answered)
        return order[0] if order else None

    async def fail(self, member: Member, ended: Ended) -> None:
        """This rank's work raised an error; it will ask for its next order when it has cleaned up."""
        if not self._queues[member.group].is_stale(member):
            self._queues[member.group].end(member, ended, self._clock())
            self._changed(member.group)

    async def nodes_of_group(self, member: Member) -> tuple[str, ...]:
        """Where the workers of this one's group run."""
        return tuple({place.node for place in self._queues[member.group].places.values()})

    async def leave(self, member: Member) -> None:
        """This worker's node, or another's of the group, will be taken away; others are to go on with its order."""
        self._queues[member.group].is_excused = True

    async def give_up(self, member: Member, reason: str) -> None:
        """This worker can never do its work, and neither could another one in its place."""
        self._records[member.group].reason = reason
        self._queues[member.group].fail(reason)
        self._changed(member.group)

    async def report(self, member: Member, ticket: Ticket, number: int, value: bytes) -> bool:
        """Report, and wait until the leaseholder asks for more (True) or the order is abandoned (False)."""
        queue = self._queues[member.group]
        if queue.is_stale(member, ticket):
            return False
        queue.report(member, number, value)
        self._changed(member.group)

        def is_decided() -> bool:
            return queue.is_stale(member, ticket) or (queue.work is not None and number in queue.work.verdicts)

        await self._changes[member.group].wait_for(is_decided)
        return not queue.is_stale(member, ticket) and queue.work is not None and queue.work.verdicts[number]

    async def watch(self, member: Member, seen: Ticket | None) -> tuple[Command, Ticket | None]:
        """Wait until this worker's listener has something to do; `seen` is the attempt it was last told to stop."""
        queue = self._queues[member.group]
        await self._changes[member.group].wait_for(lambda: queue.command(member, seen) is not None)
        return queue.command(member, seen) or Command.WAIT, queue.work.ticket if queue.work else None

    async def stop_check(self, member: Member, ticket: Ticket, count: int) -> int | None:
        """Tell how many checks this rank has passed; learn at which one all ranks stop. None: it no longer matters."""
        queue = self._queues[member.group]

        def is_over() -> bool:
            return queue.is_stale(member, ticket) or queue.is_terminating

        if queue.work is not None and not is_over():
            queue.work.counts[member.rank] = count
            self._changed(member.group)
        await self._changes[member.group].wait_for(lambda: is_over() or queue.stop_check is not None)
        return None if is_over() else queue.stop_check

    async def meet(self, member: Member, generation: int, address: tuple[str, int] | None) -> tuple[str, int] | None:
        """Agree where the process group of this generation is set up: rank 0 brings the address, the others wait."""
        queue = self._queues[member.group]
        if address is not None and not queue.is_stale(member):
            queue.meetings[generation] = address
            self._changed(member.group)
        await self._changes[member.group].wait_for(lambda: queue.is_stale(member) or generation in queue.meetings)
        return None if queue.is_stale(member) else queue.meetings[generation]

    # --- the leaseholders ---

    async def acquire(self, lease: str, holder: Any) -> LeaseReply:
        """Wait, for a short while, for a free group; to be called again until it is granted or refused.

        Args:
            lease: its name.
            holder: handle of the actor that wants it, whose death ends the lease at once; None if it is no actor.
        """
        if lease not in self._leases:
            self._leases[lease] = LeaseRecord(self._clock() if holder is None else None, self._clock())
            if holder is not None:
                attending = asyncio.create_task(self._attend(lease, holder))
                self._attending.add(attending)
                attending.add_done_callback(self._attending.discard)
        self._changed()

        def is_answered() -> bool:
            record = self._leases.get(lease)
            return record is None or record.group is not None or bool(self._refusal())

        await self._lease_changes.wait_for(is_answered, self._limits.poll_s)
        record = self._leases.get(lease)
        if record is not None and record.group is not None:
            return LeaseReply(record.group)
        return LeaseReply(reason=self._refusal())

    async def renew(self, lease: str) -> None:
        """The leaseholder, which is no actor, is alive."""
        if lease in self._leases:
            self._leases[lease].renewed = self._clock()

    async def release(self, lease: str) -> None:
        """The leaseholder wants no more; what it had ordered is abandoned."""
        record = self._leases.pop(lease, None)
        if record is not None and record.group is not None:
            self._queues[record.group].abandon(self._clock())
            self._changed(record.group)

    async def submit(self, lease: str, name: str, body: bytes) -> bool:
        """Give the leased group an order; False if it has, for a short while, not been ready to take one."""
        queue = self._queue_of(lease)
        if queue is None:
            return True
        group = self._queues.index(queue)
        is_ready = await self._changes[group].wait_for(lambda: queue.work is None, self._limits.poll_s)
        if not is_ready or self._queue_of(lease) is not queue:
            return False
        queue.submit(name, body)
        if self._records[group].reason:
            queue.fail(self._records[group].reason)
        self._changed(group)
        return True

    async def next_update(self, lease: str, name: str) -> WorkUpdate:
        """Wait, for a short while, for news of the order; asking lets the workers go on after the report seen last."""
        queue = self._queue_of(lease)
        if queue is None:
            return self._without_group(lease)
        group = self._queues.index(queue)
        found: list[WorkUpdate] = []

        def has_update() -> bool:
            if not found and _is_about(queue.work, name) and (update := queue.next_update()):
                found.append(update)
            return bool(found) or not _is_about(queue.work, name)

        has_update()
        self._changed(group)
        await self._changes[group].wait_for(has_update, self._limits.poll_s)
        if found:
            return found[0]
        if _is_about(queue.work, name):
            return WorkUpdate(WorkStatus.WAIT)
        return (
            WorkUpdate(WorkStatus.FAILED, reason="it was abandoned")
            if self._queue_of(lease) is queue
            else self._without_group(lease)
        )

    async def abandon(self, lease: str, name: str) -> None:
        """Let the workers leave the order at their next step."""
        queue = self._queue_of(lease)
        if queue is not None and _is_about(queue.work, name):
            queue.abandon(self._clock())
            self._changed(self._queues.index(queue))

    async def is_starved(self) -> bool:
        """Whether a trial has waited so long for a group that those who hold one and do not need it should let go."""
        latest = self._clock() - self._limits.move_s
        return any(record.group is None and record.waiting_since < latest for record in self._leases.values())

    async def nodes(self, lease: str) -> tuple[str, ...]:
        """The nodes on which the leased group's workers run now."""
        queue = self._queue_of(lease)
        return tuple(sorted({place.node for place in queue.places.values()})) if queue else ()

    async def on_node(self, node: str) -> list[str]:
        """Who has leased a group with a worker on this node."""
        groups = {name: record.group for name, record in self._leases.items() if record.group is not None}
        places = {name: self._queues[group].places.values() for name, group in groups.items()}
        return [name.rpartition("-")[0] for name, found in places.items() if node in {one.node for one in found}]

    # --- the host of the Train runs, and the driver ---

    async def wanted(self, group: int) -> bool:
        """Wait until this group should be started (again); False when it never will be."""
        queue, record = self._queues[group], self._records[group]

        def is_needed() -> bool:
            if self._resting.has(group):
                return False
            is_waited_for = any(lease.group is None for lease in self._leases.values())
            return not record.has_begun or queue.work is not None or is_waited_for

        await self._changes[group].wait_for(lambda: self._is_closing or bool(record.reason) or is_needed())
        if self._is_closing or record.reason:
            return False
        record.begin(queue.orders_ended, self._clock())
        return True

    async def run_ended(self, group: int, reason: str) -> None:
        """A Train run is over, its workers are gone; after too many good for nothing, the group is given up."""
        queue, record = self._queues[group], self._records[group]
        record.end(queue.orders_ended, queue.is_up, reason)
        queue.end_incarnation()
        if record.reason:
            queue.fail(record.reason)
        self._changed(group)

    async def keep(self, count: int) -> None:
        """So many groups are needed from now on; see `Resting`."""
        self._resting.keep(count)
        self._changed()

    async def close(self) -> None:
        """Send all workers away; running orders are abandoned."""
        self._is_closing = True
        self._leases.clear()
        for group, queue in enumerate(self._queues):
            queue.abandon(self._clock())
            self._changed(group)

    async def are_up(self) -> bool:
        """Whether every group has all its workers."""
        return all(queue.is_up or self._resting.has(group) for group, queue in enumerate(self._queues))

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
        for queue, record in zip(self._queues, self._records, strict=True):
            is_hit = any(place.node not in alive for place in queue.places.values())
            queue.is_excused |= is_hit
            if is_hit and not record.is_down(now):
                record.lose_workers(now)

    def tick(self) -> None:
        """Take back leases of the dead, end workers that do not leave, give up groups that do not come up."""
        now = self._clock()
        latest = now - self._limits.lease_s
        for lease in [name for name, record in self._leases.items() if record.is_over(latest)]:
            record = self._leases.pop(lease)
            if record.group is not None:
                self._queues[record.group].abandon(now)
                self._changed(record.group)
        self._move_leases(now)
        for group, queue in enumerate(self._queues):
            if not self._resting.has(group) and self._records[group].is_late(now):
                queue.fail(self._records[group].reason)
                self._changed(group)
            if queue.terminate_late(now - self._limits.leave_s):
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
                pass  # cannot be reached at the moment; if that lasts, Ray takes it for dead
            await asyncio.sleep(ATTEND_S)

    def _move_leases(self, now: float) -> None:
        """Let those whose group is down wait for any; their orders begin anew, from what is on the disk."""
        for record in self._leases.values():
            group = record.group
            if group is not None and self._records[group].is_down(now, self._limits.move_s) and len(self._queues) > 1:
                self._queues[group].drop(now)
                record.group, record.waiting_since = None, now
                self._changed(group)

    def _is_gone(self, member: Member) -> bool:
        if self._resting.has(member.group) and self._queues[member.group].work is None:
            return True
        return self._is_closing or self._queues[member.group].is_stale(member)

    def _without_group(self, lease: str) -> WorkUpdate:
        """What the leaseholder is told whose group is no longer its own."""
        if lease in self._leases:
            return WorkUpdate(WorkStatus.MOVED)
        return WorkUpdate(WorkStatus.FAILED, reason="the lease of its workers has run out")

    def _queue_of(self, lease: str) -> WorkQueue | None:
        record = self._leases.get(lease)
        return None if record is None or record.group is None else self._queues[record.group]

    def _refusal(self) -> str:
        """Why no group will ever be free; empty while one may."""
        if self._is_closing:
            return "the workers have been sent away"
        reasons = [record.reason for record in self._records]
        return reasons[0] if all(reasons) else ""

    def _changed(self, group: int | None = None) -> None:
        """Hand out free groups in the order of asking, then wake who waits."""
        taken = {record.group for record in self._leases.values()}
        waiting = [record for record in self._leases.values() if record.group is None]
        spare = [index for index in range(len(self._queues)) if index not in taken]
        let_go = self._resting.choose(spare, len(waiting))
        for index in let_go:
            self._records[index].rest()
        free = [index for index in spare if self._queues[index].is_idle and not self._resting.has(index)]
        for record, index in zip(waiting, free, strict=False):
            record.group = index
        for index, change in enumerate(self._changes):
            if group in (None, index) or waiting or index in let_go:
                change.notify_all()
        self._lease_changes.notify_all()


def _is_about(work: Work | None, name: str) -> bool:
    return work is not None and work.name == name
