"""What can happen to processes that neither work nor die: stopped ones, and a relay that is missing."""

import signal
from typing import Any

from graft.chaos.fault import Fault, Missed, require
from graft.chaos.faults.process import TRIAL, needs_own_processes
from graft.chaos.sandbox import Sandbox
from graft.core.heartbeat import Heartbeat, read_heartbeats
from graft.journal import events

RELAY = "graft.tracking.relay"
_DRIVER_S = 90.0


def _stop_trial(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child, 1)
    found = sandbox.processes(TRIAL)
    if not found or sandbox.count(events.SearchEnded):
        raise Missed("the search was over before the process of a trial could be stopped")
    for process in found:
        process.identity.send(signal.SIGSTOP)
    summary = child.wait().require_success().summary
    require(not summary["trials"]["failed"], f"{summary['trials']['failed']} trials have failed")
    _require_told(sandbox)
    return moment


def _stop_fit(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_stage(child, "fit")
    child.wait_until(lambda: _fitting(sandbox), "the process of the fit has shown itself")
    for heartbeat in _fitting(sandbox):
        heartbeat.process.send(signal.SIGSTOP)
    child.wait().require_success()
    _require_told(sandbox)
    return moment


def _fitting(sandbox: Sandbox) -> list[Heartbeat]:
    return [one for _, one in read_heartbeats(sandbox.experiment.heartbeats) if one.trial == "fit"]


def _require_told(sandbox: Sandbox) -> None:
    notes = [event.text for event in sandbox.records if isinstance(event, events.TrialNoted)]
    require(any("no sign of life" in note for note in notes), f"nothing says that a process hung: {notes}")


def _stop_driver(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child)
    child.pause(_DRIVER_S)
    child.wait().require_success()
    require(sandbox.count(events.ExperimentStarted) == 1, "the run was begun more than once")
    require(not sandbox.count(events.TrialNoted), "a trial was taken for one that hangs")
    return moment


def _kill_relay(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child, 1)
    sandbox.await_process(child, RELAY).kill()
    child.wait_until(lambda: sandbox.count(events.RelayEnded), "the death of the relay was told")
    child.wait().require_success()
    require(sandbox.count(events.RelayEnded, is_restarted=True) == 1, "the relay was not started again once")
    return moment


def _stop_relay(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child, 1)
    sandbox.await_process(child, RELAY).identity.send(signal.SIGSTOP)
    shown = _relay_in_status(sandbox)
    require(shown["state"] == "stopped", f"graft status says that it is {shown['state']}, but it is stopped")
    child.wait().require_success()
    ends = [event for event in sandbox.records if isinstance(event, events.RelayEnded)]
    require(len(ends) == 1 and "was stopped" in ends[0].reason, f"it was told otherwise: {ends}")
    sandbox.settle()
    shown = _relay_in_status(sandbox)
    wanted = {"state": "done", "behind": 0, "restarts": 1}
    require(shown == wanted, f"graft status says {shown} in the end, but should {wanted}")
    return moment


def _relay_in_status(sandbox: Sandbox) -> dict[str, Any]:
    shown: dict[str, Any] = sandbox.call("status", sandbox.experiment.name, "--json").require_success().summary["relay"]
    return shown


STOPPING_FAULTS = (
    Fault(
        "trial-stopped",
        "the process of a trial is stopped (SIGSTOP) after its first epoch, and never goes on",
        "that is noticed and told, and the trial goes on in another process",
        _stop_trial,
        needs_own_processes,
    ),
    Fault(
        "fit-stopped",
        "the process of the final fit is stopped (SIGSTOP), and never goes on",
        "that is noticed and told, and the fit goes on in another process",
        _stop_fit,
        needs_own_processes,
    ),
    Fault(
        "driver-stopped",
        f"the driver is stopped for {_DRIVER_S:.0f} s",
        "the run goes on as if nothing had been, and no trial is taken for one that hangs",
        _stop_driver,
    ),
    Fault(
        "relay-killed",
        "the process that brings the records to MLflow is killed after the first epoch",
        "it is started again, which is told, and no record is lost or doubled",
        _kill_relay,
        needs_own_processes,
    ),
    Fault(
        "relay-stopped",
        "the process that brings the records to MLflow is stopped (SIGSTOP) after the first epoch, and never goes on",
        "it is ended and started again, which graft status tells as well, and no record is lost or doubled",
        _stop_relay,
        needs_own_processes,
    ),
)
