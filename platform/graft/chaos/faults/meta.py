"""What can happen to a meta-search."""

import signal

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


def _terminate_and_go_on(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child)
    child.terminate()
    child.wait().require_one_line(exit_codes=(128 + signal.SIGTERM,))
    _require_state(sandbox, "interrupted")
    sandbox.finish()
    _require_state(sandbox, "completed")
    return moment


def _require_state(sandbox: Sandbox, wanted: str) -> None:
    shown = sandbox.call("status", sandbox.experiment.name, "--json").require_success().summary
    require(shown["state"] == wanted, f"graft status says that it is {shown['state']}, but it is {wanted}")


META_FAULTS = (
    Fault(
        "meta-search-killed",
        "the driver of a meta-search over the job's classes is killed (SIGKILL) at a random epoch; it is called again",
        "what had ended is not trained again, what had not goes on, and the same meta-training wins",
        _kill_and_go_on,
        sandbox=MetaSandbox,
    ),
    Fault(
        "meta-search-terminated",
        "the driver of a meta-search over the job's classes is asked to end (SIGTERM) at a random epoch; it is called "
        "again",
        "one line, and graft status says that it was interrupted, and in the end that it is completed; the same "
        "meta-training wins",
        _terminate_and_go_on,
        sandbox=MetaSandbox,
    ),
)
