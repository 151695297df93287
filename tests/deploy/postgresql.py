"""A PostgreSQL on the loopback interface, from the system's package; it runs as nobody where we are root."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

READY_WITHIN_S = 60.0
NOBODY = 65534


@dataclass(frozen=True)
class Database:
    """A server that runs.

    Attributes:
        binaries: where its programs are.
        environment: how its clients reach it, as libpq reads it: PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD.
    """

    binaries: Path
    environment: Mapping[str, str]

    def dump(self) -> str:
        """All that is in it, as SQL."""
        command = [str(self.binaries / "pg_dump")]
        done = subprocess.run(command, env=self._env(), capture_output=True, text=True, check=True)
        return done.stdout

    def shell(self, script: str, **environment: str) -> str:
        """What a script of sh prints, with PostgreSQL's programs at hand; it must end well."""
        command = ["sh", "-ceu", script]
        done = subprocess.run(command, env={**self._env(), **environment}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def query(self, statement: str) -> str:
        """The rows that a statement gives, without headings."""
        return self.shell(f'psql --no-psqlrc --tuples-only --no-align --command "{statement}"').strip()

    def _env(self) -> dict[str, str]:
        return {"PATH": f"{self.binaries}:{os.environ['PATH']}", **self.environment}


def free_port() -> int:
    """A port of the loopback interface that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def postgresql(password: str) -> Iterator[Database]:
    """Start a server with one database and one user, both `mlflow`, and end it."""
    binaries = _binaries()
    # Not below pytest's directory, which nobody but its owner may enter.
    root, port = Path(tempfile.mkdtemp(prefix="graft-postgresql-")), free_port()
    try:
        _own(root)
        secret = root / "password"
        secret.write_text(password)
        _own(secret)
        data = str(root / "data")
        init = ["initdb", "--pgdata", data, "--username", "mlflow", "--pwfile", str(secret)]
        _run(binaries, [*init, "--auth-host=scram-sha-256", "--auth-local=scram-sha-256", "--no-sync"])
        secret.unlink()
        listening = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", f"unix_socket_directories={root}"]
        with (root / "log").open("w") as log:
            command = [str(binaries / "postgres"), "-D", data, *listening, "-c", "fsync=off"]
            server = subprocess.Popen(command, stdout=log, stderr=log, **_as_nobody())
        reach = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "mlflow", "PGPASSWORD": password}
        try:
            _await(Database(binaries, {**reach, "PGDATABASE": "postgres"}), server, root / "log")
            Database(binaries, {**reach, "PGDATABASE": "postgres"}).query("CREATE DATABASE mlflow")
            yield Database(binaries, {**reach, "PGDATABASE": "mlflow"})
        finally:
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(root)


def _binaries() -> Path:
    """Debian keeps the server's programs out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    place = found[-1] if found else Path(named).resolve() if named else None
    assert place is not None, "PostgreSQL is missing: apt-get install postgresql"
    return place.parent


def _run(binaries: Path, command: list[str]) -> None:
    name, *arguments = command
    done = subprocess.run(
        [str(binaries / name), *arguments], capture_output=True, text=True, check=False, **_as_nobody()
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _as_nobody() -> dict[str, object]:
    """It refuses to run as root."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {"cwd": "/"}


def _own(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def _await(database: Database, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    command = [str(database.binaries / "pg_isready"), "--quiet"]
    while subprocess.run(command, env=dict(database.environment), check=False).returncode:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)
