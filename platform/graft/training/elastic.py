"""One function on several workers, which goes on when a node leaves or joins (Ray Train 2.60)."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import cloudpickle
from ray.exceptions import RayError

from graft.core.errors import GraftError, ResourceError
from graft.training.capacity import check_shape, waiting_for
from graft.training.shape import GroupShape
from graft.training.train_run import TrainRun, environment, fit, free, near_driver, new_mark
from graft.training.worker import to_graft_error

if TYPE_CHECKING:
    import torch

LOOK_S = 2.0


@dataclass(frozen=True)
class Rank:
    """What the function is told about the worker it runs in.

    Attributes:
        rank: of this worker in the process group, which is set up.
        size: number of workers of this attempt.
        attempt: how often the function was started before; it resumes from its own checkpoint if there is one.
        device: the torch device of this worker.
    """

    rank: int
    size: int
    attempt: int
    device: "torch.device"


@dataclass(frozen=True)
class Patience:
    """How long an elastic run waits.

    Attributes:
        start_s: for the resources of a node that may be gone, before it starts with what is there.
        resize_s: between two looks for more nodes.
        give_up_s: for the fewest workers to come up, at the start or after a loss.
    """

    start_s: float = 20.0
    resize_s: float = 15.0
    give_up_s: float = 600.0


@dataclass(frozen=True)
class Start:
    """One start of the function: how many workers, on which nodes."""

    workers: int
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Distributed:
    """What came of a distributed run.

    Attributes:
        value: what rank 0 returned.
        starts: one for each time that the function was started; the last one finished.
    """

    value: Any
    starts: tuple[Start, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Ids of all nodes that took part."""
        return tuple(sorted({node for start in self.starts for node in start.nodes}))


def run_distributed(
    fn: Callable[..., Any],
    args: Sequence[Any],
    shape: GroupShape,
    storage: Path,
    min_workers: int | None = None,
    max_failures: int = 3,
    patience: Patience | None = None,
) -> Distributed:
    """Run ``fn(rank, *args)`` on every worker, with a torch process group among them; Ray must be up.

    When a worker or a node dies, or an elastic run can grow, all workers are started again, and so is `fn`.

    Args:
        fn: returns something small that can be pickled; that of rank 0 counts.
        args: passed on; put what is large into the object store and pass the reference.
        shape: of the group; its `workers` is the most that an elastic run uses.
        storage: a directory for Ray Train's few files.
        min_workers: the fewest workers to go on with; fixed at `shape.workers` if left out.
        max_failures: how often to start again after workers died.
        patience: how long to wait for nodes.

    Raises:
        GraftError: whatever `fn` raised, if it was one of ours; then nothing is started again.
        ResourceError: the cluster can never give what was asked for, the workers could not be started, or ran out of
            memory.
        TrialError: `fn` raised anything else, or the workers died too often; the cause is chained.
    """
    fewest = min_workers or shape.workers
    check_shape(replace(shape, workers=fewest), 1)
    patience = patience or Patience()
    workers = shape.workers if fewest == shape.workers else (fewest, shape.workers)
    run = TrainRun(shape, workers, storage, new_mark(), max_failures, patience.start_s, -1, patience.resize_s)
    host = (
        ray.remote(ElasticHost)
        .options(
            num_cpus=0,
            max_concurrency=shape.workers + 3,
            scheduling_strategy=near_driver(),
            runtime_env=environment(patience.start_s),
        )
        .remote(run)
    )
    is_settled = False
    try:
        finished = host.run.remote(cloudpickle.dumps((fn, tuple(args))))
        endings = [finished, host.refusal.remote()]
        while not ray.wait(endings, num_returns=1, timeout=LOOK_S)[0]:
            if ray.get(host.seconds_down.remote()) > patience.give_up_s:
                missing = waiting_for(replace(shape, workers=fewest), 1)
                raise ResourceError(
                    f"{fewest} of {shape} were not up within {patience.give_up_s:g} s"
                    + (f"; waiting {missing}" if missing else "")
                )
        if endings[1] in ray.wait(endings, num_returns=2, timeout=0)[0]:
            raise ray.get(endings[1])
        value, starts = ray.get(finished)
        is_settled = True
    except RayError as error:
        raise to_graft_error(error) from error
    finally:
        ray.kill(host)
        free([run.mark], is_settled)
    return Distributed(value, starts)


class ElasticHost:
    """The actor in which the Train run lives; its workers tell it who they are."""

    def __init__(self, run: TrainRun) -> None:
        self._run = run
        self._starts: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._down_since: float | None = time.monotonic()
        self._has_refused = threading.Event()
        self._refused: GraftError | None = None

    def run(self, work: bytes) -> tuple[Any, tuple[Start, ...]]:
        """Run to the end; returns what rank 0 returned, and how often the workers were started."""
        from ray.train.torch import TorchConfig

        me = ray.get_runtime_context().current_actor
        backend = TorchConfig(backend=self._run.shape.backend)
        run = replace(self._run, backend=backend, callbacks=(_teller(me),))
        value = fit(run, _work, (me, work, run.shape.num_threads))
        return value, tuple(Start(len(nodes), tuple(sorted(set(nodes)))) for nodes in self._starts.values())

    def enrol(self, incarnation: str, node: str) -> int:
        """A worker has started; returns how many sets of workers there were before."""
        with self._lock:
            self._down_since = None
            self._starts.setdefault(incarnation, []).append(node)
            return list(self._starts).index(incarnation)

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

    def seconds_down(self) -> float:
        """How long there have been no workers; 0 while there are."""
        since = self._down_since
        return 0.0 if since is None else time.monotonic() - since


def _teller(host: Any) -> Any:
    from ray.train import UserCallback

    class Teller(UserCallback):
        def after_exception(self, run_context: Any, worker_exceptions: Any) -> None:
            host.lose_workers.remote()

    return Teller()


def _work(given: tuple[Any, bytes, int]) -> Any:
    import torch
    from ray.train.torch import get_device

    host, work, num_threads = given
    torch.set_num_threads(num_threads)
    context = ray.train.get_context()
    incarnation = ray.util.get_current_placement_group().id.hex()
    attempt = ray.get(host.enrol.remote(incarnation, ray.get_runtime_context().get_node_id()))
    try:
        fn, args = cloudpickle.loads(work)
        return fn(Rank(context.get_world_rank(), context.get_world_size(), attempt, get_device()), *args)
    except GraftError as error:
        ray.get(host.refuse.remote(error))
        raise
