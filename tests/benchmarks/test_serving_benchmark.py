"""What `serving.py` sends, and how it counts."""

import base64
import importlib
import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.fixtures.stores import serving


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("serving")


@pytest.fixture
def received() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server, and what it was sent."""
    bodies: list[bytes] = []

    class Listening(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with serving(Listening) as url:
        yield url, bodies


def test_each_request_is_an_image(benchmark: Any) -> None:
    (cell,) = json.loads(benchmark.bodies_of(1)[0])["dataframe_records"]
    assert Image.open(io.BytesIO(base64.b64decode(cell["image"]))).size == (8, 8)


def test_all_requests_are_sent_and_timed(
    benchmark: Any, received: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, bodies = received
    monkeypatch.setattr(benchmark, "PORT", int(url.rsplit(":", 1)[1]))
    found = benchmark.pace([b"1", b"2"], 3, 10)
    assert sorted(bodies) == [b"1"] * 5 + [b"2"] * 5
    assert found.clients == 3
    assert found.per_second > 0
    assert 0 < found.median_ms <= found.slowest_ms
