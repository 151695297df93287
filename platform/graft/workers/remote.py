"""Running one function in a Ray worker, with our errors coming out."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import ray
import torch
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from graft.core.errors import GraftError, NodeLeaving, ResourceError, TrialError
from graft.workers.groups.shape import has_autoscaler

T = TypeVar("T")
LOOK_S = 2.0


def run_remote(
    fn: Callable[..., T],
    *args: Any,
    num_cpus: float = 1.0,
    num_gpus: float = 0.0,
    attempts: int = 1,
    labels: Mapping[str, str] | None = None,
    was_away: Callable[[], bool] | None = None,
) -> T:
    """Run ``fn(*args)`` in a Ray worker and wait for its result; Ray must have been started.

    Torch in the worker uses as many threads as the CPUs asked for, at least one. Large arguments should be put into
    the object store once (`ray.put`) by whoever calls this more than once.

    Args:
        fn: a function that can be imported in the worker.
        args: its arguments; object references are resolved.
        num_cpus: CPUs to reserve.
        num_gpus: GPUs to reserve.
        attempts: how often to begin when the worker dies; more than once only for what goes on where it was. One that
            leaves a node before that is taken away counts for none.
        labels: that its node must have.
        was_away: asked now and then whether the worker's node was away, so that its result may be lost; then another
            begins.

    Raises:
        GraftError: whatever `fn` raised, if it was one of ours.
        ResourceError: the cluster can never give what was asked for, or the worker ran out of memory.
        TrialError: `fn` raised anything else, or the worker died; the cause is chained.
    """
    _require_feasible({"CPU": num_cpus, "GPU": num_gpus})
    # Ray's own retries would begin again after an out-of-memory kill as well, and be killed again.
    selector = {"label_selector": dict(labels)} if labels else {}
    remote = ray.remote(num_cpus=num_cpus, num_gpus=num_gpus, max_retries=0, **selector)(_call)
    failures = 0
    while failures < attempts:
        reference = remote.remote(fn, max(1, int(num_cpus)), *args)
        try:
            if was_away is not None and _is_lost(reference, was_away):
                ray.cancel(reference, force=True)
                continue
            result: T = ray.get(reference)
        except KeyboardInterrupt:
            ray.cancel(reference, force=True)
            raise
        except (WorkerCrashedError, NodeDiedError) as error:
            failures += 1
            if failures == attempts:
                raise to_graft_error(error) from error
        except RayError as error:
            told = to_graft_error(error)
            if isinstance(told, NodeLeaving) and attempts > 1:
                continue  # Ray sends nothing to that node any more
            raise told from error
        else:
            return result
    raise ValueError(f"attempts is {attempts}, but must be >= 1")


def _is_lost(reference: Any, was_away: Callable[[], bool]) -> bool:
    """Wait for a result; whether it may never come."""
    while not ray.wait([reference], timeout=LOOK_S)[0]:
        if was_away():
            return True
    return False


def to_graft_error(error: RayError) -> GraftError:
    """The error of ours that says what happened in the worker; its own if it raised one of ours."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(cause, GraftError):
        return cause
    if isinstance(cause, OutOfMemoryError | MemoryError):
        return ResourceError("the worker ran out of memory; run fewer trials at once, or use a smaller batch size")
    if isinstance(cause, WorkerCrashedError | NodeDiedError):
        return TrialError("the worker process died (killed, or a crash in native code); see the Ray logs")
    return TrialError(f"{type(cause).__name__}: {cause}")


def _call(fn: Callable[..., T], num_threads: int, *args: Any) -> T:
    torch.set_num_threads(num_threads)
    return fn(*args)


def _require_feasible(wanted: dict[str, float]) -> None:
    largest = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(all(node.get(kind, 0.0) >= amount for kind, amount in wanted.items() if amount) for node in largest):
        return
    if has_autoscaler():
        return  # a node that has them may come
    asked = ", ".join(f"{amount:g} {kind}" for kind, amount in wanted.items() if amount)
    have = max((node.get("CPU", 0.0) for node in largest), default=0.0)
    raise ResourceError(
        f"{asked} were asked for, but must fit on one node and none has them (most CPUs on a node: {have:g}); "
        "ask for fewer, or add a node"
    )
