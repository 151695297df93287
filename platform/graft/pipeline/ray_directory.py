"""Where a Ray of our own keeps its sockets, logs and spilled objects: out of reach of other users, gone at the end.

Ray's own place, ``/tmp/ray``, is shared by all users with sockets that everybody may replace, and is never cleaned.
"""

import contextlib
import logging
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from graft.core.errors import ResourceError
from graft.journal.locking import exclusive

# What Ray puts behind it: `/session_<date>_<time>_<microseconds>_<pid>/sockets/plasma_store.<n>`; the path of a socket
# has room for 107 bytes on Linux, for 103 on macOS.
MAX_BYTES = 103 - len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.1")

_PREFIX = "graft-ray-"
_OWNER, _INNER = "owner.lock", "r"
_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def ray_directory(logs: Path | None = None) -> Iterator[Path]:
    """A new directory, which is deleted when the block is left; those of sessions that were killed go first.

    Args:
        logs: where Ray's logs are moved if the block ends with an error; nowhere if left out.

    Raises:
        ResourceError: there is no place for it.
    """
    base = _base()
    _remove_left_over(base)
    try:
        directory = _make(base)
    except OSError as error:
        told = f"no directory for Ray can be made in {base} ({error.strerror}); name another with RAY_TMPDIR"
        raise ResourceError(told) from error
    # The lock dies with this process, so the next one knows what is left over without knowing any process.
    with exclusive(directory / _OWNER):
        target = base / f"{_PREFIX}{secrets.token_hex(4)}"
        directory.rename(target)
        # Ray opens what it is given to everybody (0777), so it is given a directory inside.
        inner = target / _INNER
        try:
            inner.mkdir()
            yield inner
        except Exception:
            if logs is not None:
                _keep_logs(inner, logs)
            raise
        finally:
            shutil.rmtree(target, ignore_errors=True)


def _make(base: Path) -> Path:
    """Under another name until it is locked: a session that starts at the same time must not take it for left over."""
    return Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=base))


def _base() -> Path:
    asked = os.environ.get("RAY_TMPDIR")
    base = Path(asked or tempfile.gettempdir()).absolute()
    most = MAX_BYTES - len(f"/{_PREFIX}01234567/{_INNER}")
    if len(os.fsencode(base)) <= most:
        return base
    if asked:
        raise ResourceError(
            f"RAY_TMPDIR is {asked}, but must be at most {most} bytes long, because the paths of Ray's sockets are "
            "limited; name a shorter one"
        )
    _LOG.warning("TMPDIR is %s, which is too long for Ray's sockets; its files are in /tmp", base)
    return Path("/tmp")


def _remove_left_over(base: Path) -> None:
    for directory in base.glob(f"{_PREFIX}*"):
        if not _is_ours(directory):
            continue
        with exclusive(directory / _OWNER, wait=False) as free:
            if free:
                shutil.rmtree(directory, ignore_errors=True)


def _is_ours(directory: Path) -> bool:
    try:
        found = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _keep_logs(directory: Path, logs: Path) -> None:
    for session in directory.glob("session_2*"):
        if not session.is_symlink():
            with contextlib.suppress(OSError, shutil.Error):
                shutil.copytree(session / "logs", logs, dirs_exist_ok=True, symlinks=True)
