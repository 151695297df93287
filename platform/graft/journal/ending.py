"""What is begun in a journal is ended there, whatever comes in between; only a process that is killed leaves no end."""

import contextlib
from collections.abc import Iterator

from graft.core.clock import Clock, SystemClock
from graft.core.errors import Interrupted
from graft.journal import events
from graft.journal.events import INTERRUPTED, ExperimentStatus
from graft.journal.journal import Journal


@contextlib.contextmanager
def to_an_end(journal: Journal, began: events.ExperimentStarted, clock: Clock | None = None) -> Iterator[None]:
    """Record how an experiment begins, and how it ends: well, or by whatever is raised in the block."""
    clock = clock or SystemClock()
    start = clock.elapsed()
    journal.append(began)
    try:
        yield
    except BaseException as error:
        told = str(error) or type(error).__name__
        seconds = clock.elapsed() - start
        journal.append(events.ExperimentFinished(ExperimentStatus.of(error), seconds, told.splitlines()[0]))
        raise
    journal.append(events.ExperimentFinished(ExperimentStatus.COMPLETED, clock.elapsed() - start))


@contextlib.contextmanager
def stage(journal: Journal, name: str, clock: Clock | None = None) -> Iterator[None]:
    """The same of one stage, which is done anew each time."""
    clock = clock or SystemClock()
    start = clock.elapsed()
    journal.append(events.StageStarted(name))
    try:
        yield
    except BaseException as error:
        journal.append(events.StageFailed(name, clock.elapsed() - start, why_it_ended(error)))
        raise
    journal.append(events.StageFinished(name, clock.elapsed() - start))


def why_it_ended(error: BaseException) -> str:
    """One line on a stage that ended by an error."""
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return INTERRUPTED
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
