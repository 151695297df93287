"""One function on several workers, which goes on when a node leaves or joins (Ray Train 2.60)."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import RayError

from graft.core.errors import ResourceError
from graft.workers.elastic_host import ElasticHost, Start
from graft.workers.groups.shape import GroupShape, check_shape, free_workers, waiting_for
from graft.workers.remote import to_graft_error
from graft.workers.train_run import TrainRun, environment, free, near_driver, new_mark

LOOK_S = 2.0
# After so many times `ElasticTimeouts.start_s` a run that has not begun makes do with the workers there is room for.
HELD_FACTOR = 2.0


@dataclass(frozen=True)
class ElasticTimeouts:
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
class DistributedResult:
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
    timeouts: ElasticTimeouts | None = None,
) -> DistributedResult:
    """Run ``fn(rank, *args)`` on every worker, with a torch process group among them; Ray must be up.

    When a worker or a node dies, or an elastic run can grow, all workers are started again, and so is `fn`.

    Args:
        fn: returns something small that can be pickled; that of rank 0 counts.
        args: passed on; put what is large into the object store and pass the reference.
        shape: of the group; its `workers` is the most that an elastic run uses.
        storage: a directory for Ray Train's few files.
        min_workers: the fewest workers to go on with; fixed at `shape.workers` if left out.
        max_failures: how often to start again after workers died.
        timeouts: how long to wait for nodes.

    Raises:
        GraftError: whatever `fn` raised, if it was one of ours; then nothing is started again.
        ResourceError: the cluster can never give what was asked for, the workers could not be started, or ran out of
            memory.
        TrialError: `fn` raised anything else, or the workers died too often; the cause is chained.
    """
    fewest, most = min_workers or shape.workers, shape.workers
    check_shape(replace(shape, workers=fewest), 1)
    timeouts = timeouts or ElasticTimeouts()
    work = cloudpickle.dumps((fn, tuple(args)))
    while True:
        workers = most if fewest == most else (fewest, most)
        mine = replace(shape, workers=most)
        run = TrainRun(mine, workers, storage, new_mark(), max_failures, timeouts.start_s, -1, timeouts.resize_s)
        with _hosted(run, timeouts) as attempt:
            found = attempt.result(work, fewest)
        if isinstance(found, DistributedResult):
            return found
        most = found


class _Attempt:
    """One Ray Train run in its actor."""

    def __init__(self, run: TrainRun, timeouts: ElasticTimeouts) -> None:
        self._run, self._timeouts = run, timeouts
        options = {"num_cpus": 0, "max_concurrency": run.shape.workers + 3, "scheduling_strategy": near_driver()}
        self.host = ray.remote(ElasticHost).options(**options, runtime_env=environment(timeouts.start_s)).remote(run)
        self.is_settled = False

    def result(self, work: bytes, fewest: int) -> DistributedResult | int:
        """What came of it; or how many workers there is room for, if fewer than asked for can begin."""
        finished = self.host.run.remote(work)
        endings = [finished, self.host.refusal.remote()]
        while not ray.wait(endings, num_returns=1, timeout=LOOK_S)[0]:
            seconds_down = ray.get(self.host.seconds_down.remote())
            room = self._room(fewest, seconds_down)
            if room:
                return room
            if seconds_down > self._timeouts.give_up_s:
                raise self._given_up(fewest)
        if endings[1] in ray.wait(endings, num_returns=2, timeout=0)[0]:
            raise ray.get(endings[1])
        value, starts = ray.get(finished)
        self.is_settled = True
        return DistributedResult(value, starts)

    def _room(self, fewest: int, seconds_down: float) -> int | None:
        """Workers that can begin now, if that is not all: Train counts what nodes have, not what others hold of it."""
        most = self._run.shape.workers
        if (
            fewest == most
            or seconds_down < HELD_FACTOR * self._timeouts.start_s
            or ray.get(self.host.has_begun.remote())
        ):
            return None
        room = free_workers(self._run.shape)
        return room if fewest <= room < most else None

    def _given_up(self, fewest: int) -> ResourceError:
        shape = self._run.shape
        missing = waiting_for(replace(shape, workers=fewest), 1)
        told = f"{fewest} of {shape} were not up within {self._timeouts.give_up_s:g} s"
        return ResourceError(told + (f"; {missing}" if missing else ""))


@contextlib.contextmanager
def _hosted(run: TrainRun, timeouts: ElasticTimeouts) -> Iterator[_Attempt]:
    """An attempt whose actor and placement groups are gone afterwards."""
    attempt = _Attempt(run, timeouts)
    try:
        yield attempt
    except RayError as error:
        raise to_graft_error(error) from error
    finally:
        ray.kill(attempt.host)
        free([run.mark], attempt.is_settled)
