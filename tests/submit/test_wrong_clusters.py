"""What listens at the address is no cluster of ours: one line each, and no waiting."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import ray
import requests

from graft.core.errors import ResourceError, SpecError
from graft.submit import endpoint
from graft.submit.connection import Cluster
from graft.submit.token import is_token_sent, why_refused

VERSION = {"version": "4", "ray_version": ray.__version__, "ray_commit": "x", "session_name": "s"}

Serve = Callable[..., str]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts a web server that gives one answer to all questions; returns its address."""
    servers: list[ThreadingHTTPServer] = []
    done = threading.Event()
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")

    def start(status: int = 200, body: object = VERSION, is_silent: bool = False, **headers: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if is_silent:
                    done.wait()
                text = body if isinstance(body, str) else json.dumps(body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
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
    ("token", "mode", "told"),
    [
        ("", "token", "none is set here"),
        ("ab" * 32, "token", "the one that is set is another"),
        ("ab" * 32, "disabled", "RAY_AUTH_MODE=disabled keeps the one that is set here back"),
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_a_token_is_wrong_or_missing(
    serve: Serve, token: str, mode: str, told: str, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # nobody's ~/.ray/auth_token
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    address = serve(status, "no")
    asks = f"the cluster at {address} asks for a token, and {told}"
    assert refused(address) == f"{asks}; set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's"


@pytest.mark.parametrize(
    ("status", "body", "how"),
    [
        (200, "<html>hello</html>", ""),
        (200, "ray_version", ""),
        (200, ["ray_version"], ""),
        (200, {"ray_version": None}, ""),
        (200, "x" * 100_000, ""),
        (404, "not here", " (it answers with 404)"),
        (502, {"ray_version": "2.9.0"}, " (it answers with 502)"),
    ],
)
def test_another_web_server(serve: Serve, status: int, body: object, how: str) -> None:
    address = serve(status, body)
    told = f"what answers at {address} is no dashboard of Ray{how}"
    assert refused(address) == f"{told}; correct --address (the dashboard's port is 8265 by default)"


def test_a_login_page_stands_before_it(serve: Serve) -> None:
    address = serve(302, "", location="https://login.invalid/?next=ray")
    assert refused(address).startswith(f"what answers at {address} sends on to https://login.invalid/?next=ray, and is")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("RAY_AUTH_TOKEN", "geheim\nzwei", "RAY_AUTH_TOKEN holds no token, but something with a line break"),
        ("RAY_AUTH_TOKEN", "geheim zwei", "RAY_AUTH_TOKEN holds no token, but something with a line break, a space"),
        ("RAY_AUTH_TOKEN", "geheimä", "RAY_AUTH_TOKEN holds no token, but something with a line break, a space"),
        ("RAY_AUTH_TOKEN", "  ", "RAY_AUTH_TOKEN is empty, but must hold the cluster's token"),
        ("RAY_AUTH_TOKEN_PATH", "/nowhere", "RAY_AUTH_TOKEN_PATH is /nowhere, which cannot be read (No such file"),
        ("RAY_AUTH_TOKEN_PATH", "/", "RAY_AUTH_TOKEN_PATH is /, which cannot be read (Is a directory); name the file"),
        ("RAY_AUTH_MODE", "on", "RAY_AUTH_MODE is `on`, but must be token or disabled; correct it"),
    ],
)
def test_what_is_no_token_is_told_before_it_is_sent(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The library beneath Ray's client shows the whole header that it cannot send."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for one in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(SpecError) as caught:
        Cluster("http://127.0.0.1:9")
    assert str(caught.value).startswith(told)
    assert "geheim" not in str(caught.value)


def test_a_token_of_a_file_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    for mode, is_sent in (("", True), ("TOKEN", True), ("disabled", False)):
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
        assert is_token_sent() is is_sent
    assert why_refused() == "RAY_AUTH_MODE=disabled keeps the one that is set here back"


def test_a_server_that_never_answers(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "ANSWER_S", 0.2)
    assert "has not answered for 0 s" in refused(serve(is_silent=True))


def test_tls_where_there_is_none(serve: Serve) -> None:
    address = serve().replace("http:", "https:")
    assert refused(address).startswith(f"what listens at {address} does not speak TLS; write http://")


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert refused("http://no-such-host.invalid:8265").startswith(
        "no Ray cluster answers at http://no-such-host.invalid:8265; correct --address"
    )


def test_a_certificate_that_nobody_vouches_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: object, **__: object) -> None:
        raise requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate (_ssl.c:1006)")

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setattr(requests, "get", get)
    assert refused("https://head:8265") == (
        "what listens at https://head:8265 shows a certificate that this machine does not trust; name the file of its "
        "authority in REQUESTS_CA_BUNDLE and in SSL_CERT_FILE"
    )


def test_a_user_without_a_home_directory_has_no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert not is_token_sent()
