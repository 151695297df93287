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
        exchange: handle of the exchange actor.
        group: number of the group.
        work: the pickled work function.
        payload: reference to what all orders share.
    """

    exchange: Any
    group: int
    work: bytes
    payload: Any
    shape: GroupShape


@dataclass(frozen=True)
class Assignment:
    """What a host keeps running.

    Attributes:
        exchange: handle of the exchange actor.
        work: the pickled work function.
        payload: reference to what all orders share; in a tuple, so that Ray passes the reference on.
        marks: one a group, of its placement groups.
        start_timeout_s: how long Train waits for the resources of a group, before it tries again.
    """

    exchange: Any
    shape: GroupShape
    work: bytes
    payload: tuple[Any]
    storage: Path
    marks: tuple[int, ...]
    max_failures: int
    start_timeout_s: float


class Host:
    """Keeps worker groups running; one thread of the actor a group."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment

    def keep(self, group: int) -> None:
        """Run this group, again and again, for as long as the exchange wants it."""
        given = self._assignment
        while ray.get(given.exchange.wanted.remote(group)):
            reason = self._run_once(group)
            ray.get(given.exchange.run_ended.remote(group, reason))

    def _run_once(self, group: int) -> str:
        """One Train run, from its start to the last of its traces; returns why it ended."""
        given = self._assignment
        mark = given.marks[group]
        run = TrainRun(given.shape, given.shape.workers, given.storage, mark, given.max_failures, given.start_timeout_s)
        duty = WorkerConfig(given.exchange, group, given.work, given.payload[0], given.shape)
        try:
            fit(run, _serve, duty)
        except Exception as error:
            lines = str(error).strip().splitlines()
            return lines[0] if lines else type(error).__name__
        finally:
            free([mark], is_settled=True)
        return "its workers left"


def _serve(duty: WorkerConfig) -> None:
    # Only the workers import torch: it would cost the driver, the host and Train's controller seconds and half a GB.
    from graft.workers.groups.member import serve

    serve(duty)
