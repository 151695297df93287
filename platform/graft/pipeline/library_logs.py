"""Keeps out of the log what libraries warn of in every run that goes well (Ray 2.60)."""

import contextlib
import logging
from collections.abc import Iterator

# Logger -> how a message begins that says nothing is wrong.
EXPECTED = {
    # Tune's own files of results, which graft turns off: the journal has the results.
    "ray.tune.analysis.experiment_analysis": "Failed to fetch metrics",
    # Which graft turns off too: they would be drawn over its display.
    "ray.data._internal.progress": "Progress bars disabled",
    # How long it took is told by the stage.
    "ray.data._internal.execution.streaming_executor": "✔️ ",
}


@contextlib.contextmanager
def without_expected_warnings() -> Iterator[None]:
    """Inside the block these messages are dropped, and no others."""
    filters = [(logging.getLogger(name), _Without(text)) for name, text in EXPECTED.items()]
    for logger, one in filters:
        logger.addFilter(one)
    try:
        yield
    finally:
        for logger, one in filters:
            logger.removeFilter(one)


class _Without(logging.Filter):
    def __init__(self, beginning: str) -> None:
        super().__init__()
        self._beginning = beginning

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(self._beginning)
