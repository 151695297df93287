"""What listens at the address is no cluster of ours: one line each, and no waiting."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import ray

from graft.core.errors import ResourceError
from graft.submit import connection
from graft.submit.connection import Cluster

VERSION = {"version": "4", "ray_version": ray.__version__, "ray_commit": "x", "session_name": "s"}

Serve = Callable[..., str]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts a web server that gives one answer to all questions; returns its address."""
    servers: list[ThreadingHTTPServer] = []
    done = threading.Event()
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")

    def start(status: int = 200, body: object = VERSION, is_silent: bool = False) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if is_silent:
                    done.wait()
                text = body if isinstance(body, str) else json.dumps(body)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    done.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def refused(address: str) -> str:
    with pytest.raises(ResourceError) as caught:
        Cluster(address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_version_of_ray(serve: Serve) -> None:
    address = serve(body={**VERSION, "ray_version": "2.9.0"})
    assert refused(address).startswith(
        f"the cluster at {address} has Ray 2.9.0, but this machine has {ray.__version__}"
    )


@pytest.mark.parametrize(
    ("token", "told"), [("", "and none is set here"), ("ab" * 32, "the one that is set is another")]
)
@pytest.mark.parametrize("status", [401, 403])
def test_a_token_is_wrong_or_missing(
    serve: Serve, token: str, told: str, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # nobody's ~/.ray/auth_token
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    address = serve(status, "no")
    assert refused(address) == (
        f"the cluster at {address} asks for a token, {'and ' if token else ''}{told}; set RAY_AUTH_TOKEN or "
        "RAY_AUTH_TOKEN_PATH to the cluster's"
    )


@pytest.mark.parametrize(("status", "body"), [(200, "<html>hello</html>"), (404, "not here"), (502, "bad gateway")])
def test_another_web_server(serve: Serve, status: int, body: str) -> None:
    address = serve(status, body)
    assert refused(address) == (
        f"what answers at {address} is no dashboard of Ray; correct --address (the dashboard's port is 8265 by default)"
    )


def test_a_server_that_never_answers(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_S", 0.2)
    assert "has not answered for 0 s" in refused(serve(is_silent=True))


def test_tls_where_there_is_none(serve: Serve) -> None:
    address = serve().replace("http:", "https:")
    assert refused(address).startswith(f"what listens at {address} is not trusted by TLS")


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert refused("http://no-such-host.invalid:8265").startswith(
        "no Ray cluster answers at http://no-such-host.invalid:8265; correct --address"
    )
