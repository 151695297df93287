"""What looks on while a run works: Ctrl-C and SIGTERM, the cluster's head, and trials that wait for resources.

The first Ctrl-C is a graceful interrupt: the search ends by itself, and the best model so far is saved. When the head
of a cluster is gone, Ray 2.60 would end this process a minute later, without a word.
"""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from graft.journal.events import ResourcesAwaited
from graft.journal.journal import Journal


@dataclass
class Interrupt:
    """Whether Ctrl-C was pressed."""

    is_requested: bool = False


@contextmanager
def graceful_interrupt() -> Iterator[Interrupt]:
    """The first Ctrl-C in the block only sets a flag; the second is an ordinary KeyboardInterrupt."""
    interrupt = Interrupt()
    try:
        before = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, lambda number, frame: _note(interrupt, before))
    except ValueError:  # not the main thread: whoever called us there handles its signals itself
        yield interrupt
        return
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)


def _note(interrupt: Interrupt, before: Any) -> None:
    interrupt.is_requested = True
    signal.signal(signal.SIGINT, before)


@contextmanager
def own_termination() -> Iterator[None]:
    """Keep this program's handler of SIGTERM, if it has one, though Ray puts another in its place.

    As Ray starts that is its own, which ends the process of a run as if it had failed, and without a word; as it ends,
    the system's, which ends it at once, though Python still has ours on its list.

    Raises:
        KeyboardInterrupt: SIGTERM came in the block, and Ray heard it.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if is_main else None
    if not callable(before):
        yield
        return
    try:
        yield
    except SystemExit as error:
        before(signal.SIGTERM, None)
        raise KeyboardInterrupt from error
    finally:
        signal.signal(signal.SIGTERM, before)


# How often the head is asked, how long it may take to answer, and when it is given up: before Ray does.
ASK_S, ANSWER_S, LOST_S = 3.0, 3.0, 25.0

OnLost = Callable[[str], None]
"""Told, in a sentence, that the head is gone; called once, from a thread, shortly before Ray ends the process."""


@contextlib.contextmanager
def watch_head(address: str, on_lost: OnLost) -> Iterator[None]:
    """While the block runs, look whether the head of the cluster, at ``host:port``, still answers."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch_head, args=(address, on_lost, done), name="graft-head-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()


def answers(address: str) -> bool:
    """Whether something listens at ``host:port``."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S):
            return True
    except OSError:
        return False


def _watch_head(address: str, on_lost: OnLost, done: threading.Event) -> None:
    seen = time.monotonic()
    while not done.wait(ASK_S):
        if answers(address):
            seen = time.monotonic()
        elif time.monotonic() - seen >= LOST_S:
            on_lost(f"the head of the Ray cluster at {address} does not answer any more")
            return


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
    watcher = threading.Thread(
        target=_watch_queue, args=(journal, what, has_begun, done), name="graft-waiting", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch_queue(
    journal: Journal, what: Callable[[], str], has_begun: Callable[[], bool], done: threading.Event
) -> None:
    told = ""
    pause = FIRST_LOOK_S
    while not done.wait(pause) and not has_begun():
        pause = LOOK_S
        awaited = what()
        if awaited != told:
            journal.append(ResourcesAwaited(awaited))
            told = awaited
