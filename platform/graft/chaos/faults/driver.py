"""What can happen to the driver: the process that the user has started."""

import signal
from collections.abc import Callable

from graft.chaos.environment.child import Child
from graft.chaos.fault import Fault, require
from graft.chaos.sandbox import Sandbox
from graft.core.storage import read_json
from graft.journal import events
from graft.journal.journal import is_being_written

_SET_BACK_S = 3600.0
_RESUME_WITH_A_CLOCK_SET_BACK = f"""
import json, sys
from pathlib import Path
from graft.core.clock import SystemClock
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.pipeline.run import RunOptions, run_experiment

class SetBack(SystemClock):
    def now(self):
        return super().now() - {_SET_BACK_S}

home = Home(Path(sys.argv[2]))
result = run_experiment(Experiment.find(home, sys.argv[1]), home, RunOptions(clock=SetBack()))
print(json.dumps(result.summary))
"""


def _kill_and_resume(sandbox: Sandbox) -> str:
    child = sandbox.run()
    # Any moment from the first record to the last one.
    record = sandbox.random.randint(1, max(1, (sandbox.undisturbed.counts["records"] or 2) - 1))
    child.wait_until(lambda: sandbox.lines >= record, f"record {record} of the journal")
    child.kill()
    before = {trial for trial, status in _ended(sandbox).items() if status != "interrupted"}
    had_begun = sandbox.count(events.ExperimentStarted)
    summary = sandbox.finish().summary
    require(summary["resumed_from"] or not had_begun, "the run began anew instead of going on")
    again = [
        event.trial for event in sandbox.records if isinstance(event, events.TrialStarted) and event.trial in before
    ]
    require(len(again) == len(before), f"of the trials {sorted(before)}, which had ended, some began again: {again}")
    return f"record {record} of {sandbox.undisturbed.counts['records']} of the journal"


def _set_clock_back(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child)
    child.kill()
    last = sandbox.records[-1].time
    resumed = sandbox.program(_RESUME_WITH_A_CLOCK_SET_BACK, sandbox.experiment.name, str(sandbox.home.root))
    resumed.require_success()
    require(sandbox.records[-1].time < last, "the clock was not set back")
    rows = read_json(sandbox.experiment.leaderboard_file)
    taken = {"the run": resumed.summary["budget"]["used_s"], **{row["trial"]: row["seconds"] for row in rows}}
    wrong = {name: seconds for name, seconds in taken.items() if not 0 <= seconds < _SET_BACK_S}
    require(not wrong, f"these took so many seconds: {wrong}")
    return moment


def _resume_twice(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child)
    child.kill()
    first = sandbox.resume()
    first.wait_until(lambda: is_being_written(sandbox.experiment.journal_file), "the journal was opened")
    told = sandbox.resume().wait().require_one_line(exit_codes=(3,))
    require("being written" in told, f"the second resume was told something else: {told}")
    first.wait().require_success()
    return moment


def _interrupt(sandbox: Sandbox) -> str:
    return _asked_to_end(sandbox, Child.press_ctrl_c, signal.SIGINT)


def _asked_to_end(sandbox: Sandbox, ask: Callable[[Child], None], number: signal.Signals) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child)
    ask(child)
    told = child.wait().require_one_line(exit_codes=(128 + number,))
    kept = [*sandbox.experiment.directory.glob("best-so-far-*"), *sandbox.experiment.directory.glob("bundle")]
    require(kept, f"no model was kept: {told}")
    require("graft resume" in told, f"it is not said how to go on: {told}")
    sandbox.finish()
    return moment


def _terminate(sandbox: Sandbox) -> str:
    return _asked_to_end(sandbox, Child.terminate, signal.SIGTERM)


def _interrupt_twice(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child, 1)
    child.press_ctrl_c()
    child.press_ctrl_c()
    child.wait().require_one_line(exit_codes=(128 + signal.SIGINT,))
    sandbox.finish()
    return moment


def _ended(sandbox: Sandbox) -> dict[str, str]:
    finished = (event for event in sandbox.records if isinstance(event, events.TrialFinished))
    return {event.trial: str(event.status) for event in finished}


DRIVER_FAULTS = (
    Fault(
        "driver-killed",
        "the driver is killed (SIGKILL) at a random record of its journal; `graft resume` follows",
        "what had ended is not trained again, what had not goes on, and the same strategy wins",
        _kill_and_resume,
    ),
    Fault(
        "two-resumes",
        "the driver is killed, and two `graft resume` are started",
        "the second is refused in one line with exit code 3, and the first finishes",
        _resume_twice,
    ),
    Fault(
        "ctrl-c",
        "Ctrl-C is pressed once",
        "the best model so far is kept, one line says how to go on, and `graft resume` finishes",
        _interrupt,
    ),
    Fault(
        "terminated",
        "the driver is asked to end (SIGTERM), as containers, batch systems and service managers do",
        "the best model so far is kept, one line says how to go on, and `graft resume` finishes",
        _terminate,
    ),
    Fault(
        "ctrl-c-twice",
        "Ctrl-C is pressed twice at once",
        "the run ends with one line, and `graft resume` finishes",
        _interrupt_twice,
    ),
    Fault(
        "clock-set-back",
        "the driver is killed, and goes on with a clock that is an hour slow",
        "no duration is negative, and no record is lost or doubled",
        _set_clock_back,
    ),
)
