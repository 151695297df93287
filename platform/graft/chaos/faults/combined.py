"""Several things that go wrong in one run, as on a bad day."""

from graft.chaos.environment.tracking_server import Trouble
from graft.chaos.fault import Fault, require
from graft.chaos.faults.storage import newest_weights, tear, truncate
from graft.chaos.sandbox import Sandbox
from graft.journal import events
from graft.journal.journal import is_being_written


def _a_bad_day(sandbox: Sandbox) -> str:
    server = sandbox.context.server
    server.set(Trouble.DOWN)
    try:
        child = sandbox.run(f"tracking.uri={server.url}")
        moment = sandbox.await_report(child, max(3, sandbox.undisturbed.reports // 2))
        sandbox.kill_all(child)
        tear(sandbox.experiment.journal_file)
        weights = newest_weights(sandbox)
        truncate(weights)
        first = sandbox.resume()
        first.wait_until(lambda: is_being_written(sandbox.experiment.journal_file), "the journal was opened")
        sandbox.resume().wait().require_one_line(exit_codes=(3,))
        sandbox.await_stage(first, "evaluate")
        sandbox.await_trouble(first)
    finally:
        server.set(Trouble.NONE)
    first.wait().require_success()
    notes = [event.text for event in sandbox.records if isinstance(event, events.TrialNoted)]
    require(any(weights.name in note for note in notes), f"nothing says that {weights.name} was damaged")
    return moment


COMBINED_FAULTS = (
    Fault(
        "bad-day",
        "MLflow is down, the driver is killed as it writes a record, the newest weights are cut in half, and two "
        "`graft resume` are started; MLflow comes back when that has been noticed",
        "the second resume is refused, the first finishes, says what was damaged, and everything is in MLflow",
        _a_bad_day,
    ),
)
