"""Keeps the terminal for graft: what Ray, MLflow and their C++ parts print goes to a log file.

Libraries write to file descriptors 1 and 2 from threads and native code, so redirecting `sys.stdout` is not enough: the
descriptors themselves are pointed at the log, and graft writes to private copies of the real ones.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from graft.cli.output.unfailing import open_unfailing, unnoticed
from graft.core.private_files import open_private


@dataclass(frozen=True)
class Terminal:
    """The user's real output streams."""

    out: TextIO
    err: TextIO


def terminal() -> Terminal:
    """The streams as they are now."""
    return Terminal(sys.stdout, sys.stderr)


@contextlib.contextmanager
def chatter_to(log: Path) -> Iterator[Terminal]:
    """Inside the block, descriptors 1 and 2 write to `log`; the yielded streams write to the user."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    log.parent.mkdir(parents=True, exist_ok=True)
    target = open_private(log, os.O_WRONLY | os.O_APPEND)
    streams = [open_unfailing(os.dup(one)) for one in kept]
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        with unnoticed(sys.stdout, sys.stderr):  # of the log, whose disk may be full
            try:
                yield Terminal(streams[0], streams[1])
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
    finally:
        for stream in streams:
            stream.close()
        for number, one in enumerate(kept, start=1):
            os.dup2(one, number)
            os.close(one)
        os.close(target)
