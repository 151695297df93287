"""The proxy fails as it is told to, and lets everything through otherwise."""

import threading
import urllib.error
import urllib.request
from http.client import RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from graft.chaos.environment.tracking_server import FaultProxy, Trouble


@pytest.fixture
def heard():
    """What the server behind has been asked: method, path, body."""
    return []


@pytest.fixture
def proxy(heard):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format, *args):
            """Say nothing."""

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.path, body, self.headers["X-Key"]))
            self.send_response(201)
            self.send_header("X-Reply", "yes")
            self.end_headers()
            self.wfile.write(b"done: " + body)

    behind = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=behind.serve_forever, args=(0.01,), daemon=True).start()
    proxy = FaultProxy(behind.server_address[1])
    yield proxy
    proxy.close()
    behind.shutdown()
    behind.server_close()


def ask(proxy, body=b"x", timeout=10.0):
    url = f"http://127.0.0.1:{proxy.port}/api?a=1"
    request = urllib.request.Request(url, body, {"X-Key": "k"}, method="POST")
    with urllib.request.urlopen(request, timeout=timeout) as reply:
        return reply.status, reply.headers["X-Reply"], reply.read()


def test_without_trouble_it_hands_everything_on(proxy, heard):
    assert ask(proxy, b"hello") == (201, "yes", b"done: hello")
    assert heard == [("/api?a=1", b"hello", "k")]


def test_down_refuses_connections_and_comes_back_at_the_same_port(proxy, heard):
    proxy.set(Trouble.DOWN)
    with pytest.raises(urllib.error.URLError, match="refused"):
        ask(proxy)
    proxy.set(Trouble.NONE)
    assert ask(proxy)[0] == 201
    assert len(heard) == 1


def test_errors_are_500_and_reach_nobody(proxy, heard):
    proxy.set(Trouble.ERRORS)
    with pytest.raises(urllib.error.HTTPError, match="500"):
        ask(proxy)
    assert heard == []


def test_a_request_that_hangs_is_never_answered(proxy, heard):
    proxy.set(Trouble.HANGS)
    with pytest.raises(TimeoutError):
        ask(proxy, timeout=0.2)
    proxy.set(Trouble.NONE)
    assert ask(proxy)[0] == 201
    assert len(heard) == 1


def test_a_lost_answer_is_to_a_request_that_was_carried_out(proxy, heard):
    proxy.set(Trouble.LOSES_REPLIES)
    for number in range(3):
        ask(proxy, b"%d" % number)
    with pytest.raises((RemoteDisconnected, urllib.error.URLError)):
        ask(proxy, b"3")
    assert [body for _, body, _ in heard] == [b"0", b"1", b"2", b"3"]
