"""Standard streams that never break a command: a full disk or a reader that has gone costs the output, not the work.

What could not be written is remembered, so that the command can end with the right exit code.
"""

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import typer

from graft.core.errors import ResourceError


class _Descriptor(io.FileIO):
    """A descriptor to write to; what it does not take is dropped."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            while (written := super().write(data)) is None:  # whoever shares the descriptor has made it non-blocking
                select.select([], [self.fileno()], [])
            return written
        except OSError as error:
            self.failure = self.failure or error
            return len(data)


def open_unfailing(descriptor: int, encoding: str = "utf-8", *, closes: bool = True) -> TextIO:
    """A text stream to a descriptor. Names of files may hold bytes that are no text: they are shown escaped."""
    raw = _Descriptor(descriptor, "wb", closefd=closes)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=True)


def failure_of(stream: TextIO | None) -> OSError | None:
    """Why something could not be written to a stream; None if all was."""
    raw = _descriptor_of(stream)
    return raw.failure if raw is not None else None


def has_no_reader(stream: TextIO | None) -> bool:
    """Whether whoever was reading has gone, as `head` does when it has seen enough."""
    failure = failure_of(stream)
    return failure is not None and failure.errno == errno.EPIPE


@contextmanager
def unnoticed(*streams: TextIO) -> Iterator[None]:
    """What cannot be written in the block is nobody's loss."""
    raws = [raw for stream in streams if (raw := _descriptor_of(stream)) is not None]
    before = [raw.failure for raw in raws]
    try:
        yield
    finally:
        for raw, failure in zip(raws, before, strict=True):
            raw.failure = failure


def guard_standard_streams() -> None:
    """Make the streams of this process unfailing; those that a test or a notebook has replaced are left alone."""
    for number in (0, 1, 2):
        _require_open(number)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream, first = getattr(sys, name), getattr(sys, f"__{name}__")
        if stream is first:
            encoding = stream.encoding if stream is not None else "utf-8"
            setattr(sys, name, open_unfailing(number, encoding, closes=False))


def final_exit_code(code: int) -> int:
    """The exit code of a command that is over, having told of output that could not be written.

    A reader who has gone wanted no more; but a full disk is a loss that a script must hear of.
    """
    sys.stdout.flush()
    failure = failure_of(sys.stdout)
    if failure is None or failure.errno == errno.EPIPE:
        return code
    reason = failure.strerror or type(failure).__name__
    told = f"standard output cannot be written ({reason}), but what the command does is done; make room, and ask again"
    typer.echo(f"graft: {told}", err=True)
    return code or ResourceError.exit_code


def _descriptor_of(stream: TextIO | None) -> _Descriptor | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, _Descriptor) else None


def _require_open(number: int) -> None:
    """A closed descriptor would be given to the next file that is opened, which then fills with output."""
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)
