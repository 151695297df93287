"""Whether the cluster that ``RAY_ADDRESS`` names can be joined, asked before Ray is (Ray 2.60).

Ray itself waits for minutes for a head that is gone, and says little about a port where something else listens.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

from ray._private.services import canonicalize_bootstrap_address, find_node_ids

from graft.core.errors import ResourceError

# For each step, and for all of them: looking a name up knows no time limit of its own.
CONNECT_S, PROBE_S = 5.0, 12.0
# A process that imports Ray takes 1–2 s, on a busy machine five times that; the head answers in milliseconds.
HANDSHAKE_S = 25.0

# What a client of HTTP/2, and so of gRPC, says first: preface and an empty SETTINGS frame (RFC 9113, section 3.4).
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FRAME_HEADER, _SETTINGS = 9, 4
_HANDSHAKE = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
_ADVICE = "start it, correct RAY_ADDRESS, or unset it to run on this machine"


def cluster_address() -> str | None:
    """What ``RAY_ADDRESS`` names; None where a session of one's own is wanted."""
    given = os.environ.get("RAY_ADDRESS", "").strip()
    return None if given in ("", "local") else given


def check_address(address: str) -> str:
    """Find out within seconds whether a head of Ray seems to listen at an address; returns it as ``host:port``.

    Raises:
        ResourceError: nothing answers there, or what does is no head of Ray, or no node of the cluster is here.
    """
    head = _host_and_port(address)
    named = f"RAY_ADDRESS is {address}"
    told = _within(PROBE_S, lambda: _what_is_wrong(head))
    if told:
        at = "" if head == address else f" at {head}"
        raise ResourceError(f"{named}, but {told}{at}; {_ADVICE}")
    if not find_node_ids():
        raise ResourceError(
            f"{named}, but no node of that cluster runs on this machine, and a run needs one; start graft on a node, "
            f"or join with `ray start --address={head}`"
        )
    return head


def shake_hands(address: str, program: str = _HANDSHAKE, limit: float = HANDSHAKE_S) -> None:
    """Have Ray's own client talk to the head, in a process of its own, because that cannot be interrupted.

    Raises:
        ResourceError: it does not answer as the head of a cluster of this version of Ray would.
    """
    command = [sys.executable, "-P", "-c", program, _host_and_port(address)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        told = f"what listens there did not answer within {limit:.0f} s as the head of a Ray cluster (port 6379) does"
        raise ResourceError(f"RAY_ADDRESS is {address}, but {told}; {_ADVICE}") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        told = f"what listens there refused Ray's handshake ({reason[:300]}); a head's port is 6379 by default"
        raise ResourceError(f"RAY_ADDRESS is {address}, but {told}; {_ADVICE}")


def _host_and_port(address: str) -> str:
    if address == "auto":
        try:
            return str(canonicalize_bootstrap_address(address))
        except ConnectionError as error:
            raise ResourceError(f"RAY_ADDRESS is auto, but no Ray cluster runs on this machine; {_ADVICE}") from error
    if address.startswith("ray://"):
        raise ResourceError(
            f"RAY_ADDRESS is {address}, but must be host:port of the cluster's head (port 6379): a run is a driver "
            "on a node of the cluster, not a Ray Client; start graft there, or unset RAY_ADDRESS"
        )
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ResourceError(
            f"RAY_ADDRESS is {address}, but must be host:port of the head of a Ray cluster, such as 10.0.0.1:6379, "
            "or auto; correct it, or unset it to run on this machine"
        )
    return address


def _what_is_wrong(address: str) -> str:
    """Why nothing at ``host:port`` can be a head; empty if one may be."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S) as connection:
            # With TLS, the handshake has to tell.
            is_grpc = os.environ.get("RAY_USE_TLS", "0") not in ("", "0") or _speaks_http2(connection)
    except socket.gaierror:
        return f"no machine of the name {host} is known"
    except (OSError, UnicodeError):
        return "no Ray cluster answers"
    return "" if is_grpc else "what listens is no head of a Ray cluster (its port is 6379 by default)"


def _speaks_http2(connection: socket.socket) -> bool:
    received = b""
    try:
        connection.sendall(_HELLO)
        while len(received) < _FRAME_HEADER and (more := connection.recv(_FRAME_HEADER - len(received))):
            received += more
    except OSError:
        return False
    return len(received) == _FRAME_HEADER and received[3] == _SETTINGS


def _within(seconds: float, ask: Callable[[], str]) -> str:
    """The answer; that nothing answers if none has come by then."""
    answer = ["no Ray cluster answers"]

    def work() -> None:
        answer[0] = ask()

    thread = threading.Thread(target=work, name="graft-probe", daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0]
