"""Worker groups that outlive the trials they train (Ray 2.60).

Starting Ray Train workers costs 8–27 s on two busy cores, an order to workers that wait costs milliseconds. So a search
starts its groups once, and its trials lease them: a trial hands over an order, relays the reports, and lets go.
"""

import contextlib
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ray
from ray import cloudpickle
from ray.exceptions import RayActorError

from graft.workers.groups.channel import WorkFunction
from graft.workers.groups.coordinator import Coordinator
from graft.workers.groups.host import Host, HostConfig
from graft.workers.groups.lease import GroupsHandle
from graft.workers.groups.messages import Limits
from graft.workers.groups.shape import GroupShape, check_shape
from graft.workers.train_run import environment, free, near_driver, new_mark

# Pending calls of every rank and every trial.
MAX_PENDING_CALLS = 10_000
GRACE_WHILE_STARTING_S = 2.0
# Train looks so often for a group's resources before a run fails; then there is time left for the reason to get about.
START_TRIES = 4


class WorkerGroups:
    """Starts worker groups, and ends them: a context manager of the driver. Ray must be up.

    Entering does not wait until the groups are up. Leaving sends the workers away, and returns when what they held is
    free.

    Args:
        shape: of each group.
        count: how many groups.
        work: what every rank runs for every order.
        payload: what all orders share; put into the object store once.
        storage: a directory for Ray Train's few files.
        max_failures: how often an order is begun again after its workers died.
        limits: how patient to be otherwise.

    Raises:
        ResourceError: on entering, if the cluster can never hold the groups.
    """

    def __init__(
        self,
        shape: GroupShape,
        count: int,
        work: WorkFunction,
        payload: Any,
        storage: Path,
        max_failures: int = 3,
        limits: Limits | None = None,
    ) -> None:
        self._shape = shape
        self._count = count
        self._work = work
        self._payload = payload
        self._storage = storage
        self._limits = replace(limits or Limits(), max_failures=max_failures)
        self._marks = tuple(new_mark() for _ in range(count))
        self._coordinator: Any = None
        self._host: Any = None
        self._runs: list[Any] = []

    def __enter__(self) -> Self:
        check_shape(self._shape, self._count)
        work, payload = cloudpickle.dumps(self._work), ray.put(self._payload)
        near = {"num_cpus": 0, "scheduling_strategy": near_driver()}
        coordinator = ray.remote(Coordinator).options(**near, max_concurrency=MAX_PENDING_CALLS)
        self._coordinator = coordinator.remote(self._count, self._limits)
        self._coordinator.keep_time.remote()
        start_timeout_s = self._limits.start_s / (1 + START_TRIES)
        config = HostConfig(
            self._coordinator,
            self._shape,
            work,
            (payload,),
            self._storage,
            self._marks,
            self._limits.max_failures,
            start_timeout_s,
        )
        host = ray.remote(Host).options(**near, max_concurrency=self._count, runtime_env=environment(start_timeout_s))
        self._host = host.remote(config)
        self._runs = [self._host.keep_running.remote(group) for group in range(self._count)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not ray.is_initialized():
            return
        is_settled = False
        try:
            with contextlib.suppress(RayActorError):
                is_settled = self._send_away()
        finally:
            ray.kill(self._host)
            ray.kill(self._coordinator)
            free(list(self._marks), is_settled)

    @property
    def handle(self) -> GroupsHandle:
        """What the trials need."""
        return GroupsHandle(self._coordinator, self._shape, self._count)

    def _send_away(self) -> bool:
        """Whether all workers have left by themselves, in the time they have for it."""
        are_up = ray.get(self._coordinator.are_up.remote())
        ray.get(self._coordinator.close.remote())
        patience = self._limits.leave_s if are_up else GRACE_WHILE_STARTING_S
        _, running = ray.wait(self._runs, num_returns=len(self._runs), timeout=patience)
        return not running
