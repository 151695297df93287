"""What the disk refuses, as an error that says what to do."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from graft.core.errors import ResourceError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NotStored(ResourceError):  # noqa: N818 - the work goes on without
    """Features cannot be kept: the disk is full or cannot be written, or the cache may not be so large.

    Nothing was left behind, and nothing else is wrong: whoever catches it can compute without stored features.
    """


@contextlib.contextmanager
def write_errors_are_clear(directory: Path) -> Iterator[None]:
    """Turn an error of the disk into `NotStored`."""
    try:
        yield
    except NotStored:
        raise
    except ResourceError as error:
        raise NotStored(str(error)) from error
    except OSError as error:
        if error.errno in _NO_SPACE:
            reason, remedy = "no space left", "free some, or choose another --home"
        elif error.errno in (errno.ENOENT, errno.ESTALE):
            reason, remedy = "the directory was removed", "leave the cache alone while it is written to"
        else:
            reason, remedy = error.strerror or str(error), "choose another --home"
        raise NotStored(f"features cannot be stored in {directory} ({reason}); {remedy}") from error
