"""MLflow stores for benchmarks: a SQLite file, an HTTP server on one, and an HTTP server on PostgreSQL."""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graft.tracking.server import ServerCommand, is_up, server_command
from graft.tracking.target import Target

DRIVERS = {"psycopg2": "postgresql+psycopg2", "psycopg": "postgresql+psycopg"}
EXPERIMENT = "bench"
_OWNER = "postgres"


@dataclass(frozen=True)
class Store:
    """Where a relay ships to.

    Attributes:
        target: what the relay is given.
        behind: the database itself, for a count that need not go through a server.
        server: the process that serves it; None for a file.
    """

    target: Target
    behind: Target
    server: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """End the server, and the process that it has started to answer, at once; again is allowed."""
        if self.server is not None and self.server.poll() is None:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()


@contextlib.contextmanager
def sqlite(work: Path) -> Iterator[Store]:
    """A SQLite file, written by the relay itself."""
    target = Target(f"sqlite:///{work / 'mlflow.db'}", EXPERIMENT, work / "artifacts")
    yield Store(target, target)


@contextlib.contextmanager
def sqlite_server(work: Path) -> Iterator[Store]:
    """graft's own server, on a SQLite file."""
    with _served(f"sqlite:///{work / 'served.db'}", work) as store:
        yield store


@contextlib.contextmanager
def postgres_server(work: Path) -> Iterator[Store]:
    """graft's own server, on a PostgreSQL of its own that listens on this machine only."""
    port = free_port()
    with (
        _postgres(work / "postgres", port),
        _served(f"{_dialect()}://{_OWNER}@127.0.0.1:{port}/{_OWNER}", work) as store,
    ):
        yield store


def why_no_postgres() -> str:
    """Why PostgreSQL cannot be measured here; empty if it can."""
    missing = [name for name in ("initdb", "postgres") if shutil.which(name) is None]
    if missing:
        return f"not there: no `{missing[0]}` on the path"
    if not any(importlib.util.find_spec(name) for name in DRIVERS):
        return f"not there: none of the drivers {', '.join(DRIVERS)} is installed"
    return ""


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _served(uri: str, work: Path) -> Iterator[Store]:
    command = server_command(uri, work / "artifacts", free_port())
    with (work / "server.txt").open("ab") as log:
        process = subprocess.Popen(
            command.command, env=dict(command.environment), stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await(process, command, work / "server.txt")
        yield Store(Target(command.url, EXPERIMENT), Target(uri, EXPERIMENT, work / "artifacts"), process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _await(process: subprocess.Popen[bytes], command: ServerCommand, log: Path) -> None:
    while not is_up(command.url):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}:\n{log.read_text()[-2000:]}")
        time.sleep(0.5)


@contextlib.contextmanager
def _postgres(directory: Path, port: int) -> Iterator[None]:
    """PostgreSQL refuses to run as root, so root hands it to the user that the package has made."""
    as_owner: list[str] = []
    directory.mkdir()
    if os.geteuid() == 0:
        shutil.chown(directory, _OWNER)
        for parent in directory.parents[:2]:
            parent.chmod(parent.stat().st_mode | 0o011)
        as_owner = ["runuser", "-u", _OWNER, "--"]
    data = directory / "data"
    subprocess.run(
        [*as_owner, "initdb", "-D", str(data), "-U", _OWNER, "--auth=trust"],
        check=True, capture_output=True, cwd=directory,
    )  # fmt: skip
    command = [*as_owner, "postgres", "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None:
                raise RuntimeError(f"postgres ended with {process.returncode}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def _dialect() -> str:
    return next(dialect for name, dialect in DRIVERS.items() if importlib.util.find_spec(name))
