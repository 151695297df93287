"""A copy goes on where its connection was cut."""

from http.server import BaseHTTPRequestHandler

import pytest
from tests.fixtures.stores import serving

from graft.core.errors import ResourceError
from graft.data.remote import copying
from graft.data.remote.address import Address
from graft.data.remote.copying import copy_object
from graft.data.remote.patience import Patience
from graft.data.remote.store import Entry

CONTENT = bytes(range(256)) * 40


def handler(takes_ranges: bool, breaks: int) -> type[BaseHTTPRequestHandler]:
    """A server that breaks off in the middle so many times."""

    class Breaking(BaseHTTPRequestHandler):
        asked: list[str] = []

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            self.asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").rstrip("-") or 0) if takes_ranges else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.send_header("ETag", '"one"')
            self.end_headers()
            end = len(CONTENT) - 1000 if len(self.asked) <= breaks else len(CONTENT)
            self.wfile.write(CONTENT[start:end])

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.send_header("ETag", '"one"')
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    return Breaking


@pytest.mark.parametrize("takes_ranges", [True, False])
def test_a_copy_goes_on_where_it_was(no_stores, monkeypatch, takes_ranges):
    monkeypatch.setattr(copying, "READING", Patience(90.0, lambda seconds: None))
    server = handler(takes_ranges, breaks=2)
    with serving(server) as url:
        pieces = copy_object(Address.of(f"{url}/a.bin"), Entry("", len(CONTENT), '"one"'))
        assert b"".join(pieces) == CONTENT
    assert server.asked == ["", f"bytes={len(CONTENT) - 1000}-", f"bytes={len(CONTENT) - 1000}-"]


def test_a_copy_that_never_ends_is_given_up(no_stores, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(copying, "READING", Patience(20.0, lambda seconds: None, lambda: float(next(clock))))
    with serving(handler(True, breaks=10**6)) as url, pytest.raises(ResourceError, match="the connection ended after"):
        list(copy_object(Address.of(f"{url}/a.bin"), Entry("", len(CONTENT), '"one"')))
