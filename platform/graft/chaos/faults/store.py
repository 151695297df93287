"""What can happen to the MLflow server, or to the database of the embedded store."""

import contextlib
import os
from collections.abc import Callable, Iterator

from graft.chaos.environment.child import Child
from graft.chaos.environment.disks import can_mount, read_only
from graft.chaos.environment.tracking_server import Trouble
from graft.chaos.fault import Fault, require
from graft.chaos.sandbox import RunnerContext, Sandbox
from graft.journal import events

RELAY = "graft.tracking.relay"


def _from_the_start(trouble: Trouble) -> Callable[[Sandbox], str]:
    """Until the run has ended: it must not even notice, and what is missing is sent later."""

    def act(sandbox: Sandbox) -> str:
        with _trouble(sandbox, trouble):
            summary = _run(sandbox).wait().require_success().summary
            _end_relay(sandbox)
        require(not summary["tracking_complete"], "the run says that everything is in MLflow, which was not there")
        return "the whole run"

    return act


def _in_the_middle(trouble: Trouble) -> Callable[[Sandbox], str]:
    """From the first epoch until the relay has noticed; it must catch up by itself."""

    def act(sandbox: Sandbox) -> str:
        child = _run(sandbox)
        moment = sandbox.await_report(child, 1)
        with _trouble(sandbox, trouble):
            stage = sandbox.await_stage(child, "evaluate")
            sandbox.await_trouble(child)
        child.wait().require_success()
        return f"{moment}, until after {stage}"

    return act


def _at_the_end(sandbox: Sandbox) -> str:
    child = _run(sandbox)
    moment = sandbox.await_stage(child, "evaluate")
    with _trouble(sandbox, Trouble.DOWN):
        child.wait_until(lambda: sandbox.count(events.ExperimentFinished), "the end of the experiment")
        sandbox.await_trouble(child)
    child.wait().require_success()
    return f"{moment}, until after the end"


def _lose_replies(sandbox: Sandbox) -> str:
    with _trouble(sandbox, Trouble.LOSES_REPLIES):
        child = _run(sandbox)
        moment = sandbox.await_stage(child, "evaluate")
        sandbox.await_trouble(child)
    child.wait().require_success()
    return f"from the start until after {moment}"


def _write_protect(sandbox: Sandbox) -> str:
    with read_only(sandbox.home.database):
        summary = sandbox.run().wait().require_success().summary
        _end_relay(sandbox)
    require(not summary["tracking_complete"], "the run says that everything is in MLflow, which could not be written")
    return "the whole run"


@contextlib.contextmanager
def _trouble(sandbox: Sandbox, trouble: Trouble) -> Iterator[None]:
    server = sandbox.context.server
    server.set(trouble)
    try:
        yield
    finally:
        server.set(Trouble.NONE)


def _end_relay(sandbox: Sandbox) -> None:
    """It would go on for ten minutes; without it, only `graft track sync` can bring what is missing."""
    for relay in sandbox.processes(RELAY):
        relay.kill()


def _run(sandbox: Sandbox) -> Child:
    return sandbox.run(f"tracking.uri={sandbox.context.server.url}")


def _needs_root(context: RunnerContext) -> str:
    if os.geteuid() != 0:
        return "only root can make a file read-only for processes that have it open"
    return can_mount(context.root)


_UNAFFECTED = "the run does not wait and ends well; later everything is in MLflow, at the times it happened"

STORE_FAULTS = (
    Fault(
        "mlflow-down-at-start",
        "the MLflow server is down from start to end, then the relay is killed; `graft track sync` follows",
        _UNAFFECTED,
        _from_the_start(Trouble.DOWN),
    ),
    Fault(
        "mlflow-down-in-the-middle",
        "the MLflow server is down from the first epoch to the evaluation or longer, until that is noticed",
        _UNAFFECTED,
        _in_the_middle(Trouble.DOWN),
    ),
    Fault(
        "mlflow-down-at-end",
        "the MLflow server is down from the evaluation to the last record or longer, until that is noticed",
        _UNAFFECTED,
        _at_the_end,
    ),
    Fault(
        "mlflow-errors",
        "the MLflow server answers 500 from the first epoch to the evaluation or longer, until that is noticed",
        _UNAFFECTED,
        _in_the_middle(Trouble.ERRORS),
    ),
    Fault(
        "mlflow-hangs",
        "the MLflow server takes requests and never answers, from the first epoch until that is noticed",
        _UNAFFECTED,
        _in_the_middle(Trouble.HANGS),
    ),
    Fault(
        "mlflow-loses-answers",
        "up to the evaluation, every fourth request is carried out, and its answer is lost",
        "what is asked again is not done twice: no run and no point is doubled",
        _lose_replies,
    ),
    Fault(
        "mlflow-read-only",
        "the database of the embedded store cannot be written during the run, then the relay is killed; "
        "`graft track sync` follows",
        _UNAFFECTED,
        _write_protect,
        _needs_root,
    ),
)
