"""The way to a cluster's Jobs API: one line for everything that can be wrong, and logs that go on."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from graft.core.errors import ResourceError, SpecError
from graft.submit import connection
from graft.submit.connection import Cluster
from graft.submit.endpoint import address_of


def test_the_address_is_the_given_one_or_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    assert address_of(None) == "http://127.0.0.1:8265"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "https://head:8265/")
    assert address_of(None) == "https://head:8265"
    assert address_of("http://other:1") == "http://other:1"


@pytest.mark.parametrize(
    "address",
    [
        "head:8265", "ray://head:10001", "http://", "/tmp/x", "auto", "", " ", "http://[::1", "http://[zz]:8265",
        "http://head:99999", "http://head:port", "http://head:0", "http://head\n:8265", "http://head:8265\n",
        "http://he ad:8265", "http://a..b:8265", f"http://{'a' * 64}:8265", "http://head\x1b[31m:8265",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_dashboard_is_refused(address: str) -> None:
    with pytest.raises(SpecError, match="must be that of the cluster's dashboard"):
        address_of(address)


@pytest.mark.parametrize("behind", ["?token=geheim", "/#/jobs"])
def test_nothing_may_stand_behind_an_address(behind: str) -> None:
    with pytest.raises(SpecError, match="leave out what follows") as caught:
        address_of(f"http://head:8265{behind}")
    assert "geheim" not in str(caught.value)


def test_addresses_of_every_kind_are_taken() -> None:
    for address in ("http://[::1]:8265", "https://ray.example.org/team/a", "http://under_score:8265", "HTTP://HEAD:1"):
        assert address_of(address) == address


def test_a_login_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(SpecError) as caught:
        address_of("http://ada:geheim@head:8265")
    assert "geheim" not in str(caught.value)


class Client:
    """Ray's client, as far as logs go: `broken` says after how many letters each connection breaks."""

    TEXT = "one\ntwo\nthree\n"

    def __init__(self, broken: list[int]) -> None:
        self._broken = broken
        self.connections = 0

    async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
        self.connections += 1
        end = self._broken.pop(0) if self._broken else len(self.TEXT)
        for start in range(0, end, 2):
            yield self.TEXT[start : min(start + 2, end)]
        if end < len(self.TEXT):
            raise RuntimeError("WebSocket connection closed unexpectedly with close code 1006")


def cluster_of(client: Any) -> Cluster:
    cluster = Cluster.__new__(Cluster)
    cluster.address, cluster._client = "http://head:8265", client
    return cluster


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(connection.time, "sleep", found.append)
    return found


@pytest.mark.parametrize("broken", [[], [0], [5], [3, 3, 9], [4, 0, 0, 6]])
def test_logs_go_on_where_the_connection_broke(broken: list[int], waits: list[float]) -> None:
    client, told = Client(list(broken)), list[str]()
    lines = list(cluster_of(client).follow("graft-a", told.append))
    assert lines == ["one", "two", "three"]  # nothing twice, nothing lost
    assert client.connections == len(broken) + 1
    assert len(told) == len(waits) == len(broken)


def test_a_cluster_that_stays_away_ends_it(waits: list[float]) -> None:
    with pytest.raises(ResourceError, match="did not do it: RuntimeError: WebSocket"):
        list(cluster_of(Client([3] + [0] * 20)).follow("graft-a", lambda text: None))
    assert waits == [1.0, 2.0, 5.0, 10.0]


def test_nothing_at_the_address_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:1")  # Ray's client would prefer it
    with pytest.raises(ResourceError, match=r"no Ray cluster answers at http://127.0.0.1:9; correct --address"):
        Cluster("http://127.0.0.1:9")


class Starting:
    """A head whose agents are there at the third question."""

    def __init__(self, message: str) -> None:
        self._message, self.asked = message, 0

    def submit_job(self, **request: Any) -> str:
        self.asked += 1
        if self.asked < 3:
            raise RuntimeError(self._message)
        return str(request["submission_id"])


def test_a_cluster_that_has_just_started_is_given_time(waits: list[float]) -> None:
    client = Starting("Request failed with status code 500: No available agent to submit job, please try again later.")
    assert cluster_of(client).submit(submission_id="graft-a") == "graft-a"
    assert waits == [1.0, 2.0]


class JSONDecodeError(ValueError):
    """As of the library that Ray asks by."""


class WSServerHandshakeError(Exception):
    """As of aiohttp."""

    status = 403


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("Request failed with status code 401: no"), "asks for a token"),
        (RuntimeError("403 Client Error: Forbidden"), "asks for a token"),
        (WSServerHandshakeError("Invalid response status"), "asks for a token"),
        (RuntimeError("Request failed with status code 413: large"), "takes no package of this size"),
        (ConnectionError("HTTPConnectionPool(host='head', port=4013): refused"), "no Ray cluster answers at"),
        (RuntimeError("Request failed with status code 500: worker 403 of 413"), "did not do it: RuntimeError"),
        (JSONDecodeError("Expecting value"), "does not answer as the Jobs API of Ray does (JSONDecodeError)"),
    ],
)
def test_what_a_server_says_is_told_by_its_status(error: Exception, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "abc")

    def asked() -> None:
        raise error

    with pytest.raises(ResourceError) as caught:
        cluster_of(None)._ask(asked)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_refusal_is_told_at_once(waits: list[float]) -> None:
    client = Starting("Request failed with status code 500: the disk is full")
    with pytest.raises(ResourceError, match="the disk is full"):
        cluster_of(client).submit(submission_id="graft-a")
    assert (client.asked, waits) == (1, [])
