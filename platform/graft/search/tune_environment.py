"""The settings under which a search uses Tune, whatever a user's shell holds of them (Ray 2.60)."""

import contextlib
import os
from collections.abc import Iterator

_OURS = {
    # The journal is our record of results: Tune's own JSON, CSV and TensorBoard files would only cost time.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    # Ctrl-C is the caller's business: it asks `is_over`.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}
_OF_TUNE = ("TUNE_", "RAY_AIR_")


@contextlib.contextmanager
def tune_environment(slots: int) -> Iterator[None]:
    """Have ours and no others, and the shell's back afterwards.

    Some of a shell's change what the search relies on (`TUNE_RESULT_BUFFER_LENGTH` holds reports back), and where one
    is left of an older Ray (`TUNE_RESULT_DIR`), Tune refuses to run.

    Args:
        slots: trials at a time. Without a limiter of its own, Tune would start one process after the other.
    """
    before = _take()
    os.environ.update(_OURS, TUNE_MAX_PENDING_TRIALS_PG=str(slots))
    try:
        yield
    finally:
        _take()
        os.environ.update(before)


def _take() -> dict[str, str]:
    """Remove all settings of Tune; returns them."""
    return {name: os.environ.pop(name) for name in [*os.environ] if name.startswith(_OF_TUNE)}
