"""Says what trials wait for, as long as none of them can start."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from graft.tracking.events import ResourcesAwaited
from graft.tracking.journal import Journal

# Processes take some seconds to start even where nothing is missing.
FIRST_LOOK_S, LOOK_S = 15.0, 10.0


@contextlib.contextmanager
def tell_what_is_awaited(journal: Journal, what: Callable[[], str], has_begun: Callable[[], bool]) -> Iterator[None]:
    """While the block runs and nothing has begun, journal what is being waited for whenever that changes.

    Args:
        journal: where to.
        what: asked now and then; empty if nothing is missing.
        has_begun: whether a trial runs; then there is nothing to tell any more.
    """
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(journal, what, has_begun, done), name="graft-waiting", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(journal: Journal, what: Callable[[], str], has_begun: Callable[[], bool], done: threading.Event) -> None:
    told = ""
    pause = FIRST_LOOK_S
    while not done.wait(pause) and not has_begun():
        pause = LOOK_S
        awaited = what()
        if awaited != told:
            journal.append(ResourcesAwaited(awaited))
            told = awaited
