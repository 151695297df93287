"""What a job needs of the machine: a home that can be written, room, memory that processes share, ports of its own."""

import os
import resource
import shutil
import socket
import sqlite3
import tempfile
from pathlib import Path

from graft.core.storage import Home
from graft.pipeline.installation.check import Answer
from graft.pipeline.installation.packages import last_line, run_python

GB = 1024**3
_FEWEST_INODES = 10_000
_FEWEST_OPEN_FILES = 1024
_RAY_SECONDS = 240
_START_RAY = """
import time
begin = time.monotonic()
from graft.pipeline.ray_session import ray_session
import ray
with ray_session() as found:
    assert ray.get(ray.remote(lambda: 1).remote()) == 1
    print(f"started, and ran a call, in {time.monotonic() - begin:.1f} s")
"""


def home(place: Home) -> Answer:
    """Whether the home can be written, by a database too: some network disks cannot lock."""
    there = existing(place.root)
    if not there.is_dir():
        return Answer(
            "broken", f"{there} is a file, but {place.root} must be a directory", "choose another with --home"
        )
    try:
        with tempfile.TemporaryDirectory(dir=there, prefix=".graft-doctor-") as scratch:
            _write_database(Path(scratch) / "probe.db")
    except OSError as error:
        return Answer("broken", f"{place.root} cannot be written ({error.strerror})", "choose another with --home")
    except sqlite3.Error as error:
        advice = "choose one on a local disk with --home; or set tracking.uri to a server"
        return Answer("broken", f"{place.root} takes no database ({error})", advice)
    return Answer("ok", f"{place.root} can be written")


def disk(place: Home) -> Answer:
    """Whether there is room for datasets, features, checkpoints and bundles."""
    there = existing(place.root)
    inodes = os.statvfs(there)
    return judged_disk(shutil.disk_usage(there).free, inodes.f_favail if inodes.f_files else None)


def judged_disk(free: int, inodes: int | None) -> Answer:
    """Whether that is enough. Pure.

    Args:
        free: bytes.
        inodes: files that can still be made; None where there is no limit.
    """
    if inodes is not None and inodes < _FEWEST_INODES:
        return Answer("broken", f"{inodes} more files can be made at the home", "delete some, or choose another --home")
    found = f"{free / GB:.1f} GB free at the home"
    if free < GB:
        return Answer("broken", found, "make room, or choose another with --home")
    if free < 5 * GB:
        return Answer("note", found, "stored features may fill it: GRAFT_CACHE_GB limits them")
    return Answer("ok", found)


def shared_memory(path: Path = Path("/dev/shm")) -> Answer:
    """Whether processes can share data in memory; containers get 64 MB if nobody says otherwise."""
    if not path.is_dir():
        return Answer("note", f"there is no {path}", "Ray shares data by files, which is slower")
    found = os.statvfs(path)
    return judged_shared_memory(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def judged_shared_memory(size: int, free: int) -> Answer:
    """Whether that is enough. Pure."""
    told = f"{free / GB:.1f} of {size / GB:.1f} GB of /dev/shm free"
    if size < GB // 2:
        return Answer("note", told, "Ray shares data by files, which is slower; start the container with --shm-size=2g")
    if free < GB // 4:
        return Answer("note", told, "something else fills it; see what `ls -l /dev/shm` shows")
    return Answer("ok", told)


def loopback() -> Answer:
    """Whether processes of this machine can talk to each other."""
    advice = "allow connections to 127.0.0.1: Ray and MLflow talk over it"
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                pass
        name = socket.gethostbyname("localhost")
    except OSError as error:
        return Answer("broken", f"127.0.0.1 cannot be reached ({error.strerror or error})", advice)
    if not name.startswith("127."):
        return Answer("broken", f"localhost is {name}", "let /etc/hosts say `127.0.0.1 localhost`")
    return Answer("ok", "ports of 127.0.0.1 can be opened and reached")


def open_files() -> Answer:
    """Whether a process may open as many files as Ray does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{soft} open files a process"
    if 0 <= soft < _FEWEST_OPEN_FILES:
        most = "more" if hard < 0 else str(min(hard, 65536))
        return Answer("broken", found, f"raise it: ulimit -n {most}" if hard != soft else "have the hard limit raised")
    return Answer("ok", "no limit of open files" if soft < 0 else found)


def cluster() -> Answer:
    """Whether the cluster that ``RAY_ADDRESS`` names can be reached, if it names one."""
    address = os.environ.get("RAY_ADDRESS", "")
    if not address:
        return Answer("ok", "RAY_ADDRESS is not set: jobs run on this machine")
    done = run_python("from graft.pipeline.ray_session import check_cluster; check_cluster()")
    if done.returncode:
        return Answer("broken", last_line(done.stderr), "unset RAY_ADDRESS to run on this machine")
    return Answer("ok", "the cluster of RAY_ADDRESS answers")


def ray_start() -> Answer:
    """How long Ray takes to start here and make a call."""
    done = run_python(_START_RAY, _RAY_SECONDS)
    if done.returncode:
        return Answer("broken", last_line(done.stderr), "run a job with --debug to see more")
    return Answer("ok", last_line(done.stdout))


def existing(path: Path) -> Path:
    """The nearest directory, or file, above that is there."""
    return next(one for one in (path, *path.parents) if os.path.lexists(one))


def _write_database(path: Path) -> None:
    database = sqlite3.connect(path)
    try:
        with database:
            database.execute("create table probe (number integer)")
            database.execute("insert into probe values (1)")
    finally:
        database.close()
