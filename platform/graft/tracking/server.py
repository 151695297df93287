"""The MLflow user interface on the embedded store, for this machine only."""

import contextlib
import os
import socket
import sys
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import ResourceError
from graft.tracking.environment import settled

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class ServerCommand:
    """How to start the server: the command line and the whole environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    url: str


def ui_command(tracking_uri: str, artifact_root: Path, port: int = 5000) -> ServerCommand:
    """The command that serves the user interface on the loopback interface.

    One worker and no job runner: two processes instead of fifteen, and nobody needs the rest on one machine. The
    allowed hosts are named, because the default also lets other names of private networks in (DNS rebinding).
    """
    command = (
        sys.executable, "-m", "mlflow", "server",
        "--backend-store-uri", tracking_uri,
        "--artifacts-destination", artifact_root.absolute().as_uri(),
        "--host", _HOST, "--port", str(port), "--workers", "1",
        "--allowed-hosts", f"localhost:{port},{_HOST}:{port}",
        "--cors-allowed-origins", f"http://localhost:{port},http://{_HOST}:{port}",
    )  # fmt: skip
    environment = {**os.environ, **settled(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return ServerCommand(command, environment, f"http://{_HOST}:{port}")


def experiment_url(base: str, experiment_id: str) -> str:
    """The table of an experiment's runs; without the workflow type MLflow would open its chat traces instead."""
    return f"{base.rstrip('/')}/#/experiments/{urllib.parse.quote(experiment_id)}/runs?workflowType=machine_learning"


def require_free_port(port: int) -> None:
    """Prove that the user interface can listen on the port.

    Raises:
        ResourceError: another process has it, or it is not allowed.
    """
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            raise ResourceError(f"port {port} cannot be used ({error}); choose another with --port") from error
