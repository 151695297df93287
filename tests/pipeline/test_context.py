"""Who wins a search, and whose fault it is where nobody does."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from graft.core.clock import Clock
from graft.core.errors import ResourceError, TrialError
from graft.experiments.budget import Deadline
from graft.experiments.progress import Progress
from graft.experiments.run_clock import RunClock
from graft.journal import events
from graft.journal.events import TrialStatus
from graft.pipeline.context import RunContext
from graft.spec.load import parse_job
from graft.workers.allocation import Allocation


@pytest.mark.parametrize(
    ("status", "ended", "error"),
    [
        (TrialStatus.INTERRUPTED, "minutes", ResourceError),
        (TrialStatus.INTERRUPTED, "trials", TrialError),
        (TrialStatus.FAILED, "minutes", TrialError),
    ],
)
def test_a_search_without_a_score_is_the_budgets_fault_where_its_time_cut_off_the_trials(
    fold: Callable[..., Progress], clock: Clock, status: TrialStatus, ended: str, error: type[Exception]
) -> None:
    progress = fold(
        events.TrialStarted("t01", {}, "a label"),
        events.TrialFinished("t01", status, "a reason", 0, {}, 1.0),
        events.SearchEnded(ended, ""),
    )
    job, alone = parse_job({"name": "x", "data": "digits"}), Allocation(cpus=1, gpus=0, concurrent=1, most_cpus=1)
    run_clock = RunClock(job, progress, clock, alone, alone, Deadline(90.0, "minutes"), 0.0)
    with pytest.raises(error):
        RunContext.winner(SimpleNamespace(progress=progress, run_clock=run_clock))  # type: ignore[arg-type]
