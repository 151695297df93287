"""The actor in which the Ray Train runs of the worker groups live: it starts them, and starts them again.

`TorchTrainer.fit` blocks, reads environment variables, imports torch, and cannot be interrupted in a thread. In an
actor none of that touches the user's process, and killing the actor ends every run it owns.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from graft.workers.groups.shape import GroupShape
from graft.workers.train_run import TrainRun, fit, free


@dataclass(frozen=True)
class WorkerConfig:
    """What every worker of a group is told when it starts.

    Attributes:
        coordinator: handle of the coordinator actor.
        group: number of the group.
        work: the pickled work function.
        payload: reference to what all orders share.
    """

    coordinator: Any
    group: int
    work: bytes
    payload: Any
    shape: GroupShape


@dataclass(frozen=True)
class HostConfig:
    """What a host keeps running.

    Attributes:
        coordinator: handle of the coordinator actor.
        work: the pickled work function.
        payload: reference to what all orders share; in a tuple, so that Ray passes the reference on.
        marks: one a group, of its placement groups.
        start_timeout_s: how long Train waits for the resources of a group, before it tries again.
    """

    coordinator: Any
    shape: GroupShape
    work: bytes
    payload: tuple[Any]
    storage: Path
    marks: tuple[int, ...]
    max_failures: int
    start_timeout_s: float


class Host:
    """Keeps worker groups running; one thread of the actor a group."""

    def __init__(self, config: HostConfig) -> None:
        self._config = config

    def keep_running(self, group: int) -> None:
        """Run this group, again and again, for as long as the coordinator wants it."""
        given = self._config
        while ray.get(given.coordinator.wanted.remote(group)):
            reason = self._run_once(group)
            ray.get(given.coordinator.run_ended.remote(group, reason))

    def _run_once(self, group: int) -> str:
        """One Train run, from its start to the last of its traces; returns why it ended."""
        given = self._config
        mark = given.marks[group]
        run = TrainRun(given.shape, given.shape.workers, given.storage, mark, given.max_failures, given.start_timeout_s)
        config = WorkerConfig(given.coordinator, group, given.work, given.payload[0], given.shape)
        try:
            fit(run, _serve, config)
        except Exception as error:
            lines = str(error).strip().splitlines()
            return lines[0] if lines else type(error).__name__
        finally:
            free([mark], is_settled=True)
        return "its workers left"


def _serve(config: WorkerConfig) -> None:
    # Only the workers import torch: it would cost the driver, the host and Train's controller seconds and half a GB.
    from graft.workers.groups.member import serve

    serve(config)
