"""Ends processes that train and hang, so that their work goes on in others, as after any death of a process."""

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from graft.core.errors import GraftError
from graft.core.heartbeat import Board, Heartbeat, forget, read_heartbeats
from graft.core.process_identity import ProcessIdentity
from graft.workers.driver_board import board_in
from graft.workers.hang_detector import HangDetector, HangLimits

End = Callable[[Heartbeat], bool]
"""Ends the process of a heartbeat, wherever it runs; false if it has ended already, or cannot be reached."""

Tell = Callable[[str, str], object]
"""``tell(trial, text)``: a line for the user."""


@contextlib.contextmanager
def watch_for_hangs(directory: Path, tell: Tell, end: End, limits: HangLimits | None = None) -> Iterator[Board]:
    """While the block runs, look at the heartbeats in a directory that it makes; yields where to show them."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    done = threading.Event()
    watch = HangWatch(directory, tell, end, HangDetector(limits))
    thread = threading.Thread(target=watch.run, args=(done,), name="graft-hang-watch", daemon=True)
    thread.start()
    try:
        yield board_in(directory)
    finally:
        done.set()
        thread.join()
        shutil.rmtree(directory, ignore_errors=True)


class HangWatch:
    """Looks now and then, and acts."""

    def __init__(self, directory: Path, tell: Tell, end: End, detector: HangDetector) -> None:
        self._directory, self._tell, self._end, self._detector = directory, tell, end, detector

    def run(self, done: threading.Event) -> None:
        """Look until it is done."""
        with contextlib.suppress(GraftError, ValueError):  # a journal that cannot be written ends the run elsewhere
            while not done.wait(self._detector.limits.look):
                self.look(time.monotonic())

    def look(self, now: float) -> None:
        """See who hangs, and end it."""
        # Where nobody can write, silence says nothing.
        shown = dict(read_heartbeats(self._directory)) if self._can_be_written() else {}
        ended: set[ProcessIdentity] = set()
        for hang in self._detector.look(shown, now):
            # One that has died shows nothing either; what it has left is forgotten. A process may show several.
            if hang.heartbeat.process not in ended and self._end(hang.heartbeat):
                ended.add(hang.heartbeat.process)
                self._tell(hang.heartbeat.trial, f"{hang.reason}; it was ended, and its work goes on in another")
            forget(self._directory, hang.name)

    def _can_be_written(self) -> bool:
        try:
            with tempfile.TemporaryFile(dir=self._directory) as probe:
                probe.write(b"graft")
        except OSError:
            return False
        return True
