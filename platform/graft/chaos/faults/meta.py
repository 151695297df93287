"""What can happen to a meta-search."""

from graft.chaos.fault import Fault, require
from graft.chaos.meta_sandbox import MetaSandbox
from graft.chaos.sandbox import Sandbox
from graft.journal import events


def _kill_and_go_on(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child)
    child.kill()
    reported = sandbox.count(events.TrialReported)
    require(not sandbox.count(events.ExperimentFinished), "the meta-search had ended before it was killed")
    sandbox.finish()
    began = sandbox.count(events.ExperimentStarted)
    require(began == 2, f"the meta-search has begun {began} times, but once, and once again")
    require(sandbox.count(events.TrialReported) > reported, "nothing was trained after the kill")
    return moment


META_FAULTS = (
    Fault(
        "meta-search-killed",
        "the driver of a meta-search over the job's classes is killed (SIGKILL) at a random epoch; it is called again",
        "what had ended is not trained again, what had not goes on, and the same meta-training wins",
        _kill_and_go_on,
        sandbox=MetaSandbox,
    ),
)
