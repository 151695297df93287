"""One Ray Train run (Ray 2.60), the way graft wants it: quick to notice things, and sure to give back what it held.

Train's controller removes its placement group itself when it ends in order. When it is killed, an actor of Train is to
do that, but it asks the dashboard, and asks the wrong one if two Rays run on the machine. Without a dashboard the CPUs
stay taken for ever, the next run waits for them without a word, and a run that ends in order needs 12 s for it. So
every run here marks its placement groups, whoever started it removes them by that mark, and that actor is not started.
"""

import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import OutOfMemoryError, WorkerCrashedError
from ray.util import placement_group_table, remove_placement_group
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from graft.core.errors import ResourceError
from graft.workers.groups.shape import GroupShape

# The placement-group table shows of a group nothing that its maker can choose but its bundles: a few bytes of memory,
# another number for every run, are the mark.
MARK_BYTES = 1 << 20
PLACEMENT_GROUP_CLEANER = "PlacementGroupCleanerCallback"
CLEAN_LOOKS = 5
LOOK_S = 0.2


@dataclass(frozen=True)
class TrainRun:
    """What one Ray Train run needs to know.

    Attributes:
        workers: how many; (least, most) for an elastic run.
        storage: a directory for the run's few files; workers on other nodes need not see it.
        mark: of its placement groups, see `new_mark`.
        max_failures: how often Train starts the workers again.
        start_timeout_s: how long Train waits for the workers' resources before it thinks again.
        start_failures: how often it does that before it gives up; -1 for ever.
        resize_s: how often an elastic run looks for more nodes.
    """

    shape: GroupShape
    workers: int | tuple[int, int]
    storage: Path
    mark: int
    max_failures: int
    start_timeout_s: float
    start_failures: int = 3
    resize_s: float = 60.0


def new_mark() -> int:
    """A number that tells one run's placement groups from all others."""
    return 1 + secrets.randbelow(MARK_BYTES)


def near_driver() -> NodeAffinitySchedulingStrategy:
    """Where what a run hangs on has to live: with the driver, not on a node that may leave."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def environment(start_timeout_s: float) -> dict[str, Any]:
    """The runtime environment of the process that calls `fit`, from which Train's own processes inherit it.

    Train reads environment variables only; in an actor of our own they leave the user's process alone.
    """
    variables = {
        "RAY_TRAIN_V2_ENABLED": "1",
        # By default the controller looks every 2 s, which a worker's death and the end of a run wait for.
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.25",
        "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": "120",
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": f"{start_timeout_s:g}",
        # Each costs a process or a thread, and 2 s at the start.
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
        "RAY_TRAIN_METRICS_ENABLED": "0",
        "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "TRAIN_ENABLE_SHARE_CUDA_VISIBLE_DEVICES": "1",
    }
    return {"env_vars": variables}


def fit(run: TrainRun, function: Callable[[Any], Any], config: Any, callbacks: Sequence[Any] = ()) -> Any:
    """Run ``function(config)`` on every worker; return what rank 0 returned. Blocks.

    There is no process group: setting it up is the function's business.

    Args:
        run: how.
        function: can be imported in the worker, as what it is given.
        config: what it is given.
        callbacks: Train's user callbacks; they run in the controller.

    Raises:
        ResourceError: the workers could not be started.
        WorkerCrashedError: workers died more often than allowed.
        Exception: what a worker raised.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    class Trainer(DataParallelTrainer):
        def _create_default_callbacks(self) -> list[Any]:
            callbacks = super()._create_default_callbacks()
            return [callback for callback in callbacks if type(callback).__name__ != PLACEMENT_GROUP_CLEANER]

    name = f"workers-{uuid4().hex}"
    trainer = Trainer(
        lambda given: function(given["config"]),
        train_loop_config={"config": config},
        scaling_config=ScalingConfig(
            num_workers=run.workers,
            use_gpu=run.shape.gpus_per_worker > 0,
            resources_per_worker={**run.shape.resources, "memory": run.mark},
            placement_strategy=run.shape.placement.upper(),
            label_selector=run.shape.labels or None,
            elastic_resize_monitor_interval_s=run.resize_s,
        ),
        run_config=RunConfig(
            name=name,
            storage_path=str(run.storage.resolve()),
            callbacks=list(callbacks),
            failure_config=FailureConfig(max_failures=run.max_failures, controller_failure_limit=run.start_failures),
        ),
    )
    try:
        return trainer.fit().return_value
    except TrainingFailedError as error:
        raise cause_of(error) from error
    finally:
        shutil.rmtree(run.storage / name, ignore_errors=True)


def free(marks: list[int], is_settled: bool, patience_s: float = 15.0) -> None:
    """Remove what is left of runs that are over, and wait until it is gone.

    Args:
        marks: of the runs.
        is_settled: False if a controller has just been killed: until its end has got about, it may still make another
            placement group.
        patience_s: the longest to wait.
    """
    needed = 1 if is_settled else CLEAN_LOOKS
    clean = 0
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        left = _marked(marks)
        for group in left:
            remove_placement_group(group)
        clean = 0 if left else clean + 1
        if clean >= needed:
            return
        time.sleep(LOOK_S)


def _marked(marks: list[int]) -> list[PlacementGroup]:
    found = []
    for name, entry in placement_group_table().items():
        memory = {int(bundle.get("memory", 0)) for bundle in entry["bundles"].values()}
        if entry["state"] != "REMOVED" and memory & set(marks):
            found.append(PlacementGroup(ray.PlacementGroupID(bytes.fromhex(name))))
    return found


def cause_of(error: Any) -> BaseException:
    """What is at the bottom of an error that Train raises."""
    failures: list[Any] = list(getattr(error, "worker_failures", {}).values())
    if not failures:
        cause = str(getattr(error, "controller_failure", error)).strip().splitlines()
        return ResourceError(f"the workers cannot be started ({cause[0].split('. ')[0] if cause else 'no message'})")
    # A rank's death comes with errors of those that were waiting for it.
    deaths = [failure.health_check_failure for failure in failures if hasattr(failure, "health_check_failure")]
    is_out_of_memory = any(isinstance(death, OutOfMemoryError) for death in deaths)
    death = OutOfMemoryError("") if is_out_of_memory else WorkerCrashedError()
    first: BaseException = death if deaths else failures[0]
    return first
