"""An MLflow server of one's own, behind a proxy that fails on demand."""

import contextlib
import secrets
import socket
import subprocess
import threading
import time
from enum import Enum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from graft.chaos.environment.processes import MARK, sweep
from graft.chaos.fault import Missed
from graft.core.uris import sqlite_uri
from graft.tracking.server import is_up, server_command

_HOST = "127.0.0.1"
_START_S = 120.0
_LOST_EVERY = 4
_UNANSWERED = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


class Trouble(Enum):
    """What is wrong with the server, as its clients see it."""

    NONE = "none"
    DOWN = "down"
    ERRORS = "errors"
    HANGS = "hangs"
    LOSES_REPLIES = "loses replies"


class TrackingServer:
    """A context manager: MLflow's server on SQLite, and the proxy in front of it.

    Args:
        directory: for its database and artifacts.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._mark = secrets.token_hex(8)
        self._behind = free_port()
        self._proxy = FaultProxy(self._behind)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://{_HOST}:{self._proxy.port}"

    def __enter__(self) -> "TrackingServer":
        store = sqlite_uri(self._directory / "mlflow.db")
        server = server_command(store, self._directory / "artifacts", self._behind)
        environment = {**server.environment, MARK: self._mark}
        with (self._directory / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                server.command, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _START_S
        while not is_up(server.url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise Missed(f"the MLflow server did not start; see {self._directory / 'server.log'}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        self._proxy.close()
        self._process.terminate()
        sweep(self._mark, 5.0)
        self._process.wait()

    def set(self, trouble: Trouble) -> None:
        """Have clients see this from now on."""
        self._proxy.set(trouble)


class FaultProxy:
    """Hands requests on to a server of this machine, unless it is to fail.

    Args:
        behind: the port of the server.
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self.port = free_port()
        self._trouble = Trouble.NONE
        self._requests = 0
        self._over = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._listen()

    def set(self, trouble: Trouble) -> None:
        """Fail like this from now on. A request that hangs is never answered."""
        self._trouble = trouble
        self._over.set()
        self._over = threading.Event()
        if trouble is Trouble.DOWN:
            self._hang_up()
        elif self._server is None:
            self._listen()

    def close(self) -> None:
        """Listen no more."""
        self._over.set()
        self._hang_up()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        trouble, self._requests = self._trouble, self._requests + 1
        if trouble is Trouble.HANGS:
            self._over.wait()
            request.close_connection = True
            return
        if trouble is Trouble.ERRORS:
            request.send_error(500, "the store has failed")
            return
        is_lost = trouble is Trouble.LOSES_REPLIES and not self._requests % _LOST_EVERY
        with contextlib.closing(HTTPConnection(_HOST, self._behind, timeout=60)) as connection:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _UNANSWERED}
            connection.request(request.command, request.path, body, headers)
            reply = connection.getresponse()
            if is_lost:
                reply.read()
                request.close_connection = True
                return
            _hand_back(request, reply.status, reply.getheaders(), reply)

    def _listen(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

            def handle_any(self) -> None:
                with contextlib.suppress(ConnectionError, TimeoutError):
                    proxy.answer(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815

        self._server = ThreadingHTTPServer((_HOST, self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _hang_up(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.socket.close()


def _hand_back(request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: object) -> None:
    content = body.read()  # type: ignore[attr-defined]
    request.send_response(status)
    for name, value in headers:
        if name.lower() not in _UNANSWERED:
            request.send_header(name, value)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
