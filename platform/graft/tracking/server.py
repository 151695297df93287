"""Servers for this machine only: MLflow's own, and those of applications; and the addresses of MLflow's pages."""

import contextlib
import json
import socket
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.core.errors import ResourceError
from graft.core.uris import file_uri
from graft.tracking.comparison_view import ViewKind, view_key
from graft.tracking.environment import python_module, server_environment

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

_HOST = "127.0.0.1"
DEFAULT_PORT = 5000


@dataclass(frozen=True)
class ServerCommand:
    """How to start the server: the command line and the whole environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    url: str


def server_command(tracking_uri: str, artifact_root: Path, port: int = DEFAULT_PORT) -> ServerCommand:
    """The command of a tracking server on the loopback interface, which takes runs and models from whoever reaches it.

    `graft.tracking.ui` is what a user looks through.

    One worker and no job runner: two processes instead of fifteen, and nobody needs the rest on one machine. The
    allowed hosts are named, because the default also lets other names of private networks in (DNS rebinding).
    """
    command = (
        *python_module("mlflow"), "server",
        "--backend-store-uri", tracking_uri,
        "--artifacts-destination", file_uri(artifact_root),
        "--host", _HOST, "--port", str(port), "--workers", "1",
        "--allowed-hosts", f"localhost:{port},{_HOST}:{port}",
        "--cors-allowed-origins", f"http://localhost:{port},http://{_HOST}:{port}",
    )  # fmt: skip
    environment = {**server_environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return ServerCommand(command, environment, local_address(port))


def local_address(port: int = DEFAULT_PORT) -> str:
    """Where `server_command` and `graft ui` serve."""
    return f"http://{_HOST}:{port}"


def experiment_url(base: str, experiment_id: str) -> str:
    """The table of an experiment's runs; without the workflow type MLflow would open its chat traces instead."""
    return f"{base.rstrip('/')}/#/experiments/{urllib.parse.quote(experiment_id)}/runs?workflowType=machine_learning"


def view_url(base: str, experiment_id: str, experiment: str, kind: ViewKind) -> str:
    """The comparison page of a graft experiment (`comparison_view`), with its charts."""
    page = experiment_url(base, experiment_id)
    return f"{page}&viewStateShareKey={view_key(experiment, kind)}&compareRunsMode=CHART"


def compare_url(base: str, runs: Sequence[tuple[str, str]]) -> str:
    """MLflow's page that compares runs, each given by the ids of its experiment and its own."""
    experiments, ids = [*dict.fromkeys(experiment for experiment, _ in runs)], [run for _, run in runs]
    quoted = [urllib.parse.quote(json.dumps(part, separators=(",", ":"))) for part in (ids, experiments)]
    return f"{base.rstrip('/')}/#/compare-runs?runs={quoted[0]}&experiments={quoted[1]}"


def loopback_server(application: Any, port: int) -> "BaseWSGIServer":
    """What serves a WSGI application on this machine, a thread for each request; port 0 is any that is free."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        """Tells nobody the addresses that are asked for: the first one holds the token."""

        protocol_version = "HTTP/1.1"

        def log_request(self, *_: Any) -> None:
            """Nothing."""

    return make_server(_HOST, port, application, threaded=True, request_handler=Quiet)


def is_up(base: str) -> bool:
    """Whether a server answers."""
    try:
        with urllib.request.urlopen(f"{base.rstrip('/')}/health", timeout=2) as answer:
            return int(answer.status) == HTTPStatus.OK
    except (OSError, ValueError, HTTPException):
        return False


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
