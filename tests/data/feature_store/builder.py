"""A process that uses a feature store, and dies or waits where the test says so.

Arguments: what to do, the directory of the store. It prints one line for each step, and goes on when it reads one.
"""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from graft.data.feature_store.key import FeatureKey
from graft.data.feature_store.locks import NotStored
from graft.data.feature_store.store import FeatureStore, Watch

ROWS, WIDTH = 50, 1000
KEY = FeatureKey("d", "train", "{}", None, "w", "net", 3)


def numbers(start: int, stop: int) -> np.ndarray:
    """Rows whose value is their number."""
    return np.repeat(np.arange(start, stop, dtype=np.float32)[:, None], WIDTH, axis=1)


def chunks(start: int, stop: int, at_half: str) -> Iterator[np.ndarray]:
    """Ten rows at a time; at row 30 it does what is said."""
    say(f"computing {start} {stop}")
    for first in range(start, stop, 10):
        if first == 30 and at_half == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if first == 30 and at_half == "pause":
            say("half-way")
            sys.stdin.readline()
        yield numbers(first, min(first + 10, stop))


def say(line: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(what: str, root: Path) -> None:
    """Build, or read, and tell."""
    store = FeatureStore(root, 10**8, shard_bytes=10 * WIDTH * 4)
    told_of_waiting = []

    def waiting(seconds: float, share: float) -> None:
        if not told_of_waiting:
            told_of_waiting.append(seconds)
            say("waiting")

    if what == "limited":
        # A file may not grow beyond this: the disk is full in the middle of the first shard.
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    at_half = what if what in ("die", "pause") else "go on"
    try:
        features = store.build(KEY, (WIDTH,), ROWS, lambda a, b: chunks(a, b, at_half), Watch(on_wait=waiting))
    except NotStored as error:
        say(f"NotStored {error}")
        return
    say(features.work.kind)
    if what == "read":
        sys.stdin.readline()
    say(str(float(features.rows([49, 0])[:, -1].sum())))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
