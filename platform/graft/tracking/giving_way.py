"""How much a relay gives way to trials: less, the further MLflow is behind the run.

The trials are what the user waits for. But a relay that always gives way starves on a busy machine (2.4 s of CPU in ten
minutes were seen), with a lock of the database in its hands.
"""

import contextlib
import os
from pathlib import Path

# Up to how many seconds behind, at which niceness; beyond the last one it gives way to nobody.
LEVELS = ((10.0, 19), (30.0, 10))
# That of Ray's workers: without privileges no process becomes less nice again, so it is never nicer than they are.
NICEST_PROCESS = 15
_AUTOGROUP = Path("/proc/self/autogroup")


def niceness(lag: float) -> int:
    """The niceness of a relay whose oldest record to ship is `lag` seconds old; infinite if somebody waits for it."""
    return next((level for limit, level in LEVELS if lag < limit), 0)


class GivingWay:
    """Sets the niceness of this process; to be called with every lag that is measured.

    Where Linux groups processes by session (`sched_autogroup_enabled`), the niceness of a process counts within its
    session only, and the relay has one of its own. Then it is the session that must give way, which can be taken back.
    """

    def __init__(self, autogroup: Path = _AUTOGROUP) -> None:
        self._autogroup = autogroup
        self._level = 0

    def __call__(self, lag: float) -> None:
        """Give way as befits this lag."""
        level = niceness(lag)
        if level == self._level:
            return
        self._level = level
        with contextlib.suppress(OSError):  # not of Linux, or changed a moment ago: the next lag will do
            self._autogroup.write_text(str(level))
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, 0, min(level, NICEST_PROCESS))
