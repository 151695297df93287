import pytest
import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, WorkerCrashedError
from ray.train import ControllerError, WorkerGroupError
from ray.train.v2._internal.exceptions import WorkerGroupStartupTimeoutError, WorkerHealthCheckFailedError
from ray.util import placement_group, placement_group_table

from graft.core.errors import DataError, ResourceError
from graft.workers.train_run import cause_of, environment, free, new_mark


def died(cause: Exception) -> WorkerHealthCheckFailedError:
    return WorkerHealthCheckFailedError("A worker health check failed.", cause)


def test_what_a_worker_raised_is_the_cause():
    own = DataError("class `cat` is empty")
    assert cause_of(WorkerGroupError("long text", {1: own})) is own


def test_a_death_is_the_cause_of_the_errors_it_brings_about():
    follows = RuntimeError("Connection closed by peer")
    cause = cause_of(WorkerGroupError("long text", {0: follows, 1: died(ActorDiedError())}))
    assert isinstance(cause, WorkerCrashedError)


def test_running_out_of_memory_is_the_cause_of_a_death():
    deaths = {0: died(ActorDiedError()), 1: died(OutOfMemoryError("the node ran low"))}
    assert isinstance(cause_of(WorkerGroupError("long text", deaths)), OutOfMemoryError)


def test_workers_that_cannot_be_started_are_a_matter_of_resources_told_in_one_line():
    cause = cause_of(ControllerError(WorkerGroupStartupTimeoutError(2)))
    assert isinstance(cause, ResourceError)
    assert str(cause).startswith("the workers cannot be started (The worker group startup timed out after ")
    assert str(cause).endswith("waiting for 2 workers)")


def test_train_learns_by_environment_variables_how_patient_to_be():
    variables = environment(12.5)["env_vars"]
    assert variables["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] == "12.5"
    assert all(isinstance(value, str) for value in variables.values())


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_only_marked_placement_groups_are_removed():
    marks = [new_mark(), new_mark()]
    ours = [placement_group([{"CPU": 0.1, "memory": mark}]) for mark in marks]
    waiting = placement_group([{"CPU": 1000.0, "memory": marks[0]}])
    foreign = placement_group([{"CPU": 0.1, "memory": 7 + max(marks)}])
    ray.get([*(group.ready() for group in ours), foreign.ready()])
    free(marks, is_settled=True)
    states = [placement_group_table(group)["state"] for group in (*ours, waiting, foreign)]
    assert states == ["REMOVED", "REMOVED", "REMOVED", "CREATED"]
    ray.util.remove_placement_group(foreign)
