"""The actor in which an elastic Ray Train run lives, and what its workers do (Ray 2.60); only these import torch."""

import os
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import ray
from ray import cloudpickle

from graft.core.errors import GraftError, NodeLeaving
from graft.workers.groups.shape import GroupShape
from graft.workers.train_run import TrainRun, fit

if TYPE_CHECKING:
    import torch

EXIT_CODE_WHEN_LEAVING = 71


@dataclass(frozen=True)
class Rank:
    """What the function is told about the worker it runs in.

    Attributes:
        rank: of this worker in the process group, which is set up.
        size: number of workers of this attempt.
        attempt: how often the function was started before; it resumes from its own checkpoint if there is one.
        device: the torch device of this worker.
        nodes: on which the workers run, by Ray's ids.
    """

    rank: int
    size: int
    attempt: int
    device: "torch.device"
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Start:
    """One start of the function: how many workers, on which nodes."""

    workers: int
    nodes: tuple[str, ...]


class ElasticHost:
    """Runs the Train run; the workers tell it who they are, and meet here."""

    def __init__(self, run: TrainRun) -> None:
        self._run = run
        self._nodes: dict[str, list[str]] = {}
        self._addresses: dict[str, tuple[str, int]] = {}
        self._changed = threading.Condition()
        self._down_since: float | None = time.monotonic()
        self._has_refused = threading.Event()
        self._refused: GraftError | None = None

    def run(self, work: bytes) -> tuple[Any, tuple[Start, ...]]:
        """Run to the end; returns what rank 0 returned, and how often the workers were started."""
        me = ray.get_runtime_context().current_actor
        value = fit(self._run, _work, (me, work, self._run.shape), callbacks=[_failure_callback(me)])
        return value, tuple(Start(len(nodes), tuple(sorted(set(nodes)))) for nodes in self._nodes.values())

    def register(self, incarnation: str, node: str) -> int:
        """A worker has started; returns how many sets of workers there were before."""
        with self._changed:
            self._down_since = None
            self._nodes.setdefault(incarnation, []).append(node)
            self._changed.notify_all()
            return list(self._nodes).index(incarnation)

    def nodes_of(self, incarnation: str) -> tuple[str, ...]:
        """Where a set of workers runs, all of which have started."""
        return tuple(sorted(set(self._nodes.get(incarnation, ()))))

    def meet(self, incarnation: str, address: tuple[str, int] | None) -> tuple[str, int] | None:
        """Rank 0 brings the address of its store, the others wait for it; None if there are newer workers."""
        with self._changed:
            if address is not None:
                self._addresses[incarnation] = address
                self._changed.notify_all()
            self._changed.wait_for(lambda: incarnation in self._addresses or incarnation != list(self._nodes)[-1])
            return self._addresses.get(incarnation)

    def refuse(self, error: GraftError) -> None:
        """A worker knows that starting again is of no use."""
        self._refused = self._refused or error
        self._has_refused.set()

    def refusal(self) -> GraftError | None:
        """Wait for a refusal."""
        self._has_refused.wait()
        return self._refused

    def lose_workers(self) -> None:
        """Workers have died; new ones are to come."""
        self._down_since = time.monotonic()

    def has_begun(self) -> bool:
        """Whether there have been workers."""
        return bool(self._nodes)

    def seconds_down(self) -> float:
        """How long there have been no workers; 0 while there are."""
        since = self._down_since
        return 0.0 if since is None else time.monotonic() - since


def _failure_callback(host: Any) -> Any:
    from ray.train import UserCallback

    class FailureCallback(UserCallback):
        def after_exception(self, run_context: Any, worker_exceptions: Any) -> None:
            host.lose_workers.remote()

    return FailureCallback()


def _work(given: tuple[Any, bytes, GroupShape]) -> Any:
    import torch
    from ray.train.torch import get_device

    from graft.workers.groups.process_group import set_up_process_group

    host, work, shape = given
    torch.set_num_threads(shape.num_threads)
    context = ray.train.get_context()
    incarnation = ray.util.get_current_placement_group().id.hex()
    rank = Rank(
        context.get_world_rank(),
        context.get_world_size(),
        ray.get(host.register.remote(incarnation, ray.get_runtime_context().get_node_id())),
        get_device(),
    )
    if rank.device.type == "cuda":
        torch.cuda.set_device(rank.device)
    node = ray.util.get_node_ip_address()

    def meet(address: tuple[str, int] | None) -> tuple[str, int] | None:
        return ray.get(host.meet.remote(incarnation, address))  # type: ignore[no-any-return]

    set_up_process_group(shape.backend, rank.rank, rank.size, node, meet)
    try:
        fn, args = cloudpickle.loads(work)
        return fn(replace(rank, nodes=ray.get(host.nodes_of.remote(incarnation))), *args)
    except NodeLeaving:
        os._exit(EXIT_CODE_WHEN_LEAVING)  # as Train expects of a node that goes: it starts others elsewhere
    except GraftError as error:
        ray.get(host.refuse.remote(error))
        raise
