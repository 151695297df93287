"""What can happen to the processes that train, on a Ray that the run has started itself."""

from collections.abc import Callable

from graft.chaos.environment.processes import can_find_processes
from graft.chaos.fault import Fault, Missed, require
from graft.chaos.sandbox import RunnerContext, Sandbox
from graft.journal import events

TRIAL = "ray::ImplicitFunc"
TWO_WORKERS = ("resources.workers=2", "resources.cpus_per_worker=1")


def _kill_one(title: str, what: str) -> Callable[[Sandbox], str]:
    """Kill a process of that title, drawn at random, after the first epoch."""

    def act(sandbox: Sandbox) -> str:
        child = sandbox.run()
        moment = sandbox.await_report(child, 1)
        found = sandbox.processes(title)
        if not found or sandbox.count(events.SearchEnded):
            raise Missed(f"the search was over before {what} could be killed")
        sandbox.random.choice(found).kill()
        _ends_well(sandbox, child.wait().require_success().summary)
        return moment

    return act


def _ends_well(sandbox: Sandbox, summary: dict[str, object]) -> None:
    trials = summary["trials"]
    assert isinstance(trials, dict)
    require(not trials["failed"], f"{trials['failed']} trials have failed")
    require(sandbox.count(events.ExperimentStarted) == 1, "the run was begun more than once")


def needs_own_processes(context: RunnerContext) -> str:
    """Why the processes of a run cannot be found, or are not ours to end; empty if they can and are."""
    if not can_find_processes():
        return "this system does not show which processes a run has started"
    return "the processes of the cluster in RAY_ADDRESS belong to others" if context.is_attached else ""


def _needs_two_cpus(context: RunnerContext) -> str:
    return needs_own_processes(context) or ("" if context.cpus >= 2 else "two workers need two CPUs")


PROCESS_FAULTS = (
    Fault(
        "trial-killed",
        "the process of a trial is killed after its first epoch",
        "the trial goes on in another process, and no epoch counts twice",
        _kill_one(TRIAL, "its process"),
        needs_own_processes,
    ),
    Fault(
        "rank-killed",
        "of two workers that train a trial together, one is killed",
        "the group comes up again, and goes on from the last epoch",
        _kill_one("ray::RayTrainWorker", "a rank"),
        _needs_two_cpus,
        TWO_WORKERS,
    ),
    Fault(
        "controller-killed",
        "the process that watches over the workers of a trial is killed",
        "the group comes up again, and goes on from the last epoch",
        _kill_one("ray::TrainController", "the controller"),
        _needs_two_cpus,
        TWO_WORKERS,
    ),
)
