"""Requests that are too large, however they are sent."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from graft.pipeline.serving.body_limit import LimitedBody


async def length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def client() -> TestClient:
    return TestClient(LimitedBody(Starlette(routes=[Route("/", length, methods=["GET", "POST"])]), 1000))


def in_parts(size: int) -> Iterator[bytes]:
    yield from [b"x" * 100] * (size // 100)


@pytest.mark.parametrize("size", [0, 100, 1000])
def test_what_is_not_too_large_arrives_whole(client: TestClient, size: int) -> None:
    assert client.post("/", content=b"x" * size).text == str(size)
    assert client.post("/", content=in_parts(size)).text == str(size)


@pytest.mark.parametrize("size", [1100, 100_000])
def test_what_is_too_large_is_told_in_a_line(client: TestClient, size: int) -> None:
    for content in (b"x" * size, in_parts(size)):
        answer = client.post("/", content=content)
        assert answer.status_code == 413
        assert answer.json()["message"] == "the request is larger than 0.001 MB; send fewer samples at once"


def test_requests_without_a_body_pass(client: TestClient) -> None:
    assert client.get("/").text == "0"
