"""Notices that the cluster's head is gone: Ray would end this process a minute later, without a word (Ray 2.60)."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

# How often the head is asked, how long it may take to answer, and when it is given up: before Ray does.
LOOK_S, ANSWER_S, LOST_S = 3.0, 3.0, 25.0

OnLost = Callable[[str], None]
"""Told, in a sentence, that the head is gone; called once, from a thread, shortly before Ray ends the process."""


@contextlib.contextmanager
def watch_head(address: str, on_lost: OnLost) -> Iterator[None]:
    """While the block runs, look whether the head of the cluster, at ``host:port``, still answers."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(address, on_lost, done), name="graft-head-watch", daemon=True)
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


def _watch(address: str, on_lost: OnLost, done: threading.Event) -> None:
    seen = time.monotonic()
    while not done.wait(LOOK_S):
        if answers(address):
            seen = time.monotonic()
        elif time.monotonic() - seen >= LOST_S:
            on_lost(f"the head of the Ray cluster at {address} does not answer any more")
            return
