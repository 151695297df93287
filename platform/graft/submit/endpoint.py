"""Where a cluster's Jobs API is, and whether a dashboard of Ray answers there."""

import json
import os
from urllib.parse import SplitResult, urlsplit

from graft.core.errors import ResourceError, SpecError

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
# A dashboard on a busy head needs seconds.
CONNECT_S, ANSWER_S = 10.0, 60.0
# A dashboard says its version in a hundred bytes; what is no dashboard may go on for ever.
_MOST_BYTES = 1 << 16
_ADVICE = "correct --address (the dashboard's port is 8265 by default)"


def address_of(given: str | None) -> str:
    """The address of a cluster's Jobs API: what was given, else ``RAY_API_SERVER_ADDRESS``, else this machine's.

    Raises:
        SpecError: it is not one.
    """
    address = os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS if given is None else given
    parts = _split(address)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise SpecError(
            f"address is `{address}`, but must be that of the cluster's dashboard, such as {DEFAULT_ADDRESS}; "
            "`ray dashboard CLUSTER_FILE` or `kubectl port-forward` brings it there"
        )
    if parts.username or parts.password:
        raise SpecError("address holds a login, but Ray asks for a token: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH")
    if parts.query or parts.fragment:
        raise SpecError("address has a `?` or a `#`, but must end with its port or a path; leave out what follows")
    return address.rstrip("/")


def dashboard_version(address: str) -> str | None:
    """The version of Ray whose dashboard answers; None where it asks for a token first.

    Ray's own client would wait for this answer for ever.

    Raises:
        ResourceError: nothing answers, or what does is no dashboard.
    """
    import requests

    asked = {"timeout": (CONNECT_S, ANSWER_S), "allow_redirects": False, "stream": True}
    try:
        with requests.get(f"{address}/api/version", **asked) as answer:  # type: ignore[arg-type]
            text = next(answer.iter_content(_MOST_BYTES), b"")
    except requests.exceptions.SSLError as error:
        raise ResourceError(_told_of_tls(address, str(error))) from error
    except requests.Timeout as error:
        raise ResourceError(f"what listens at {address} has not answered for {ANSWER_S:.0f} s; {_ADVICE}") from error
    except requests.RequestException as error:
        raise ResourceError(nobody_at(address)) from error
    if answer.status_code in (401, 403):
        return None
    if answer.is_redirect:
        there = answer.headers["location"]
        raise ResourceError(f"what answers at {address} sends on to {there}, and is no dashboard of Ray; {_ADVICE}")
    version = _version_in(text) if answer.status_code == 200 else None
    if version is None:
        how = "" if answer.status_code == 200 else f" (it answers with {answer.status_code})"
        raise ResourceError(f"what answers at {address} is no dashboard of Ray{how}; {_ADVICE}")
    return version


def nobody_at(address: str) -> str:
    """What is told where nothing answers."""
    told = f"no Ray cluster answers at {address}"
    return f"{told}; correct --address, or bring the dashboard there (`ray dashboard FILE`)"


def _split(address: str) -> SplitResult | None:
    """The parts of an address; None where it has none. `urlsplit` passes over line breaks, and looks at no port."""
    if not address.isprintable() or " " in address:
        return None
    try:
        parts = urlsplit(address)
        (parts.hostname or "").encode("idna")
        return parts if parts.port is None or parts.port else None
    except ValueError:
        return None


def _version_in(text: bytes) -> str | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    version = found.get("ray_version") if isinstance(found, dict) else None
    return version if isinstance(version, str) else None


def _told_of_tls(address: str, reason: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        told = f"what listens at {address} shows a certificate that this machine does not trust"
        return f"{told}; name the file of its authority in REQUESTS_CA_BUNDLE and in SSL_CERT_FILE"
    return f"what listens at {address} does not speak TLS; write http://, or {_ADVICE}"
