"""A run as lines of JSON, for what collects logs: an object a line, with the experiment and the trial that it is of.

``{"time": "2026-11-29T18:00:00.000Z", "level": "info", "experiment": "digits-…", "trial": "t03", "event":
"TrialFinished", "message": "t03 stopped after 2 epochs: …"}``; lines of the logging module have ``logger`` too.
"""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from graft.cli.output.describe_event import describe
from graft.cli.output.tell import tell
from graft.core.credentials import RedactingFormatter, redact
from graft.journal import events
from graft.journal.events import ExperimentStatus, TrialStatus

# They come every few seconds, and say nothing of what happens.
_UNTOLD = (events.SystemSampled, events.TimeLeftEstimated)

Listener = Callable[[events.Event], None]


@contextlib.contextmanager
def json_display(stream: TextIO, experiment: str) -> Iterator[Listener]:
    """Yield what to call with every event; what graft's modules log meanwhile gets the same form."""

    def listen(event: events.Event) -> None:
        if not isinstance(event, _UNTOLD):
            tell(event_line(event, experiment), stream=stream)

    handler = logging.lastResort
    if handler is None:
        yield listen
        return
    before = handler.formatter
    handler.setFormatter(_JsonFormatter(experiment))
    try:
        yield listen
    finally:
        handler.setFormatter(before)


def event_line(event: events.Event, experiment: str) -> str:
    """One event."""
    trial = getattr(event, "trial", None)
    return log_line(describe(event), _level(event), experiment, trial, at=event.time, event=type(event).__name__)


def log_line(
    message: str,
    level: str = "info",
    experiment: str | None = None,
    trial: str | None = None,
    at: float | None = None,
    **more: Any,
) -> str:
    """One line.

    Args:
        message: what happened.
        level: ``info``, ``warning`` or ``error``.
        experiment: that it is of.
        trial: that it is of.
        at: seconds since the epoch; now if left out.
        more: further fields.
    """
    at = time.time() if at is None else at
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
    fields = {"time": stamp, "level": level, "experiment": experiment, "trial": trial}
    return json.dumps({**fields, **more, "message": redact(message)})


class _JsonFormatter(RedactingFormatter):
    """Records of the logging module, with a traceback as part of the message."""

    def __init__(self, experiment: str) -> None:
        super().__init__()
        self._experiment = experiment

    def format(self, record: logging.LogRecord) -> str:
        text, level = super().format(record), record.levelname.lower()
        return log_line(text, level, self._experiment, at=record.created, logger=record.name)


def _level(event: events.Event) -> str:
    match event:
        case events.StageFailed() | events.TrialFinished(status=TrialStatus.FAILED):
            return "error"
        case events.ExperimentFinished(status=ExperimentStatus.FAILED):
            return "error"
        case events.TrialNoted() | events.RelayEnded() | events.ResourcesAwaited():
            return "warning"
    return "info"
