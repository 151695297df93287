"""A cluster that cannot be joined is told within seconds, whatever is wrong with `RAY_ADDRESS`."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from graft.core.errors import ResourceError
from graft.workers import cluster_address as module
from graft.workers.cluster_address import check_address, cluster_address, shake_hands

SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
Serve = Callable[[bytes | None], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts what accepts a connection and says something, or with None nothing; returns its address."""
    open_: list[socket.socket] = []

    def start(answer: bytes | None) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        open_.append(listening)

        def accept() -> None:
            connection, _ = listening.accept()
            open_.append(connection)
            if answer is not None:
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=accept, daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield start
    for one in open_:
        one.close()


@pytest.fixture(autouse=True)
def node_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_node_ids", lambda: {"a"})


def dead_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"


def refused(address: str) -> str:
    with pytest.raises(ResourceError) as caught:
        check_address(address)
    told = str(caught.value)
    assert caught.value.exit_code == 3
    assert "\n" not in told
    assert told.startswith(f"RAY_ADDRESS is {address}, but ")
    return told


@pytest.mark.parametrize("given", ["", "  ", "local", None])
def test_no_address_is_a_session_of_ones_own(given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if given is not None:
        monkeypatch.setenv("RAY_ADDRESS", given)
    assert cluster_address() is None


def test_blanks_around_an_address_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", " 10.0.0.1:6379\n")
    assert cluster_address() == "10.0.0.1:6379"


def test_what_speaks_grpc_may_be_a_head(serve: Serve) -> None:
    address = serve(SETTINGS)
    assert check_address(address) == address


def test_a_port_on_which_nothing_listens() -> None:
    assert "no Ray cluster answers; start it, correct RAY_ADDRESS, or unset it" in refused(dead_port())


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"-ERR"])
def test_a_port_on_which_something_else_listens(serve: Serve, answer: bytes) -> None:
    assert "what listens is no head of a Ray cluster" in refused(serve(answer))


def test_what_accepts_and_says_nothing(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_S", 0.05)
    assert "what listens is no head of a Ray cluster" in refused(serve(None))


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    assert "no machine of the name head.invalid is known" in refused("head.invalid:6379")


def test_a_name_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_S", 0.02)
    over = threading.Event()

    def hang(*_: object, **__: object) -> None:
        over.wait()
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "create_connection", hang)
    assert "no Ray cluster answers" in refused("head:6379")
    over.set()


def test_a_ray_client_address_says_why_not() -> None:
    assert "not a Ray Client" in refused("ray://127.0.0.1:10001")


@pytest.mark.parametrize(
    "given",
    ["localhost", "127.0.0.1:", ":6379", "host:port", "host:0", "host:70000", "http://head:8265", "h:٣", "[::1]"],
)
def test_what_is_no_address(given: str) -> None:
    assert "must be host:port of the head of a Ray cluster" in refused(given)


def test_auto_without_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: str) -> str:
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(module, "canonicalize_bootstrap_address", none)
    assert "no Ray cluster runs on this machine" in refused("auto")


def test_auto_that_names_a_head_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = dead_port()
    monkeypatch.setattr(module, "canonicalize_bootstrap_address", lambda _: dead)
    assert f"no Ray cluster answers at {dead}" in refused("auto")


def test_a_cluster_without_a_node_here(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_node_ids", set)
    assert "no node of that cluster runs on this machine" in refused(serve(SETTINGS))


def test_a_head_that_shakes_hands() -> None:
    shake_hands("127.0.0.1:6379", "import sys; sys.exit(0)")


def test_a_head_that_refuses_says_why() -> None:
    with pytest.raises(ResourceError, match=r"refused Ray's handshake \(RuntimeError: wrong token\); a head"):
        shake_hands("127.0.0.1:6379", "raise RuntimeError('wrong token')")


def test_a_head_that_does_not_shake_hands() -> None:
    with pytest.raises(ResourceError, match="did not answer within 0 s as the head of a Ray cluster"):
        shake_hands("127.0.0.1:6379", "import threading; threading.Event().wait()", limit=0.2)
