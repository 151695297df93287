"""How a trial gets hold of a worker group, and what it can do with it."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import ray
from ray import cloudpickle
from ray.exceptions import RayActorError

from graft.core.errors import ResourceError, TrialError
from graft.workers.groups.messages import LeaseReply, WorkStatus, WorkUpdate
from graft.workers.groups.shape import GroupShape, waiting_for

RENEW_S = 2.0


@dataclass(frozen=True)
class Lease:
    """A worker group, held by one trial."""

    _coordinator: Any
    _name: str
    shape: GroupShape
    _wait: Callable[[], None]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Ids of the distinct nodes on which the workers run at the moment."""
        return tuple(_call(self._coordinator.nodes.remote(self._name)))

    def run(self, order: Any) -> Iterator[Any]:
        """Have the workers do an order; yield what rank 0 reports, in lockstep.

        The workers' `report` returns when the next item is asked for. Closing the iterator, or leaving the loop by an
        exception, abandons the order: the workers leave it at their next step. After a worker's death the order is
        begun again (`Channel.attempt`), and reports may come twice.

        Raises:
            TrialError: the work function raised, or the workers died too often.
            ResourceError: the coordinator is gone.
        """
        name = uuid4().hex
        body = cloudpickle.dumps(order)
        is_over = False
        try:
            self._submit(name, body)
            while True:
                update: WorkUpdate = _call(self._coordinator.next_update.remote(self._name, name))
                if update.status is WorkStatus.REPORT:
                    yield cloudpickle.loads(update.report)
                elif update.status is WorkStatus.MOVED:
                    self._wait()
                    self._submit(name, body)
                elif update.status is not WorkStatus.WAIT:
                    is_over = True
                    break
        finally:
            if not is_over:
                _tell(self._coordinator.abandon, self._name, name)
        if update.status is WorkStatus.FAILED:
            raise TrialError(update.reason)

    def _submit(self, name: str, body: bytes) -> None:
        while not _call(self._coordinator.submit.remote(self._name, name, body)):
            pass


@dataclass(frozen=True)
class GroupsHandle:
    """What a trial needs to lease a group; can be pickled into any process of the Ray job."""

    _coordinator: Any
    shape: GroupShape
    count: int

    def is_starved(self) -> bool:
        """Whether a trial waits for a group while there are fewer than there were."""
        return bool(_call(self._coordinator.is_starved.remote()))

    def on(self, node: str) -> list[str]:
        """Who has leased a group with a worker on this node, by Ray's id of it."""
        return list(_call(self._coordinator.on_node.remote(node)))

    def keep(self, count: int) -> None:
        """Let go of groups beyond `count` as soon as nobody uses them; more than there are brings back those let go."""
        _tell(self._coordinator.keep, count)

    @contextlib.contextmanager
    def lease(self, who: str) -> Iterator[Lease]:
        """Wait for a free group that is up, and hold it; afterwards it is free again at once.

        If this process dies, the group is free again: at once if it was an actor, else after some 15 s. An actor that
        is merely slow keeps its lease.

        Args:
            who: for the logs.

        Raises:
            ResourceError: the groups cannot come up any more, or have been sent away.
        """
        name = f"{who}-{uuid4().hex}"
        stop = threading.Event()
        context = ray.get_runtime_context()
        holder = context.current_actor if context.get_actor_id() else None
        if holder is None:
            threading.Thread(target=self._renew, args=(name, stop), name="graft-lease", daemon=True).start()
        try:
            self._wait_for(name, holder)
            yield Lease(self._coordinator, name, self.shape, lambda: self._wait_for(name, holder))
        finally:
            stop.set()
            _tell(self._coordinator.release, name)

    def _wait_for(self, name: str, holder: Any) -> None:
        while True:
            reply: LeaseReply = _call(self._coordinator.acquire.remote(name, holder))
            if reply.group is not None:
                return
            if reply.reason:
                missing = waiting_for(self.shape, self.count)
                detail = f"; {missing}" if missing else ""
                raise ResourceError(f"no worker group of {self.shape} will run: {reply.reason}{detail}")

    def _renew(self, name: str, stop: threading.Event) -> None:
        while not stop.wait(RENEW_S):
            self._coordinator.renew.remote(name)


def _call(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except RayActorError as error:
        raise ResourceError("the worker groups are gone: their coordinator has died; see the Ray logs") from error


def _tell(method: Any, *arguments: Any) -> None:
    """A farewell: of no use if nobody hears it. A call without a Ray would start one."""
    if ray.is_initialized():
        with contextlib.suppress(ResourceError):
            _call(method.remote(*arguments))
