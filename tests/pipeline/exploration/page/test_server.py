"""The page is served on this machine only, and to whoever has the token of this call."""

import socket
import urllib.error
import urllib.request

import pytest

from graft.core.errors import ResourceError
from graft.exploration.requirement import Requirement
from graft.modalities.protocol import Exhibit
from graft.pipeline.exploration.page.application import LabelPage
from graft.pipeline.exploration.page.desk import Desk
from graft.pipeline.exploration.page.server import serving

PAGE = LabelPage(Desk("me", lambda sample: Exhibit("")), Requirement(0.9), 10, "pool", "tiny")


def test_the_address_lets_in_and_nothing_else_does() -> None:
    with serving(PAGE, 0) as address, serving(PAGE, 0) as other:
        assert address.startswith("http://127.0.0.1:")
        assert address.partition("token=")[2] != other.partition("token=")[2], "each call has its own"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(address.partition("?")[0])
        request = urllib.request.Request(address.partition("?")[0] + "scene")
        request.add_header("Authorization", f"Bearer {address.partition('token=')[2]}")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
    with pytest.raises(OSError, match=r"."):
        urllib.request.urlopen(address)


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ResourceError, match=rf"port {port} cannot be used .*--port"), serving(PAGE, port):
            pass
