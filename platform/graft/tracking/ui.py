"""The MLflow user interface on the embedded store, for the user who started it (see `ui_gate`)."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from graft.core.private_files import open_private
from graft.tracking.environment import python_module, server_environment
from graft.tracking.server import DEFAULT_PORT, local_address
from graft.tracking.ui_gate import TOKEN_PARAMETER

# The token goes by the environment: every user can read a command line.
TOKEN_VARIABLE = "GRAFT_UI_TOKEN"


@dataclass(frozen=True)
class UiServer:
    """How to start the server: the command line and the whole environment.

    Attributes:
        url: where it serves.
        token: lets in.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    url: str
    token: str

    def address(self, page: str) -> str:
        """The address of one of its pages, with the token, for the user to open."""
        return with_token(page, self.token)


def with_token(page: str, token: str) -> str:
    """The address of a page of a guarded server, for the user to open."""
    before, sign, fragment = page.partition("#")
    return f"{before.rstrip('/')}/?{TOKEN_PARAMETER}={quote(token)}{sign}{fragment}"


def ui_server(tracking_uri: str, artifact_root: Path, port: int = DEFAULT_PORT) -> UiServer:
    """What serves the user interface on the loopback interface, read-only, with a new token.

    The allowed hosts are named, because MLflow's default also lets other names of private networks in (DNS rebinding).
    """
    command = (
        *python_module("graft.tracking.mlflow.ui_server"),
        "--uri", tracking_uri, "--artifact-root", str(artifact_root.absolute()), "--port", str(port),
    )  # fmt: skip
    token = secrets.token_urlsafe(32)
    hosts = (f"localhost:{port}", f"127.0.0.1:{port}")
    environment = {
        **server_environment(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(hosts),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{host}" for host in hosts),
        TOKEN_VARIABLE: token,
    }
    return UiServer(command, environment, local_address(port), token)


@contextlib.contextmanager
def page_that_leads_to(address: str) -> Iterator[str]:
    """A file of this user's that sends a browser on: what a browser is started with, every user can read."""
    with tempfile.TemporaryDirectory(prefix="graft-ui-") as directory:
        page = Path(directory, "open.html")
        target = escape(address, quote=True)
        with os.fdopen(open_private(page, os.O_WRONLY), "w", encoding="utf-8") as stream:
            stream.write(f'<!DOCTYPE html><meta http-equiv="refresh" content="0; url={target}">\n')
        yield page.as_uri()
