"""Who may do what on a server for one user: a door before an application that has none, such as MLflow's.

Every user of a machine reaches its loopback interface, and MLflow lets whoever reaches it replace models. So nothing
but the health check is answered without the token that the command prints, nothing is changed even with it but what the
door names, and no page of another server makes the user's browser do anything here.
"""

import base64
import binascii
import enum
import hmac
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any

TOKEN_PARAMETER = "token"

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# What the pages ask by POST, and notes of people on runs and experiments. All else would change runs, models or files.
_READING_POSTS = (
    "experiments/search", "experiments/search-datasets", "runs/search", "logged-models/search", "datasets/search",
    "registered-models/get-latest-versions", "traces/search", "traces/metrics", "traces/batchGetInfos",
    "traces/calculate-filter-correlation", "issues/search",
)  # fmt: skip
_NOTES = (
    "runs/set-tag", "runs/delete-tag", "experiments/set-experiment-tag", "experiments/delete-experiment-tag"
)  # fmt: skip
_ALLOWED_POST = re.compile(
    rf"/(?:ajax-api|api)/[23]\.0/mlflow/(?:{'|'.join(map(re.escape, (*_READING_POSTS, *_NOTES)))})|/graphql"
)

Environ = Mapping[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Any, StartResponse], Iterable[bytes]]


class Verdict(enum.Enum):
    """What becomes of a request: how it is answered if it is not passed on, and with which words."""

    PASS = (HTTPStatus.OK, "")
    LOG_IN = (HTTPStatus.SEE_OTHER, "")
    WRONG_HOST = (HTTPStatus.FORBIDDEN, "this server answers to localhost only")
    NO_TOKEN = (
        HTTPStatus.UNAUTHORIZED,
        "open the address with `?token=` that `{command}` has printed, or send it as `Authorization: Bearer TOKEN`",
    )
    OTHER_SITE = (HTTPStatus.FORBIDDEN, "another page asked for this; open the address that `{command}` has printed")
    READ_ONLY = (HTTPStatus.FORBIDDEN, "{read_only}")

    def __init__(self, status: HTTPStatus, message: str) -> None:
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Door:
    """What is behind a gate.

    Attributes:
        command: that serves it, and prints the token.
        posts: paths that may be posted to.
        read_only: what whoever wants to change anything else is told.
    """

    command: str
    posts: re.Pattern[str]
    read_only: str


TO_MLFLOW = Door(
    "graft ui",
    _ALLOWED_POST,
    "`graft ui` shows runs, models and files and changes none of them; a server that does is `mlflow server`",
)


@dataclass(frozen=True)
class Request:
    """What of a request decides.

    Attributes:
        method: in capitals.
        path: decoded.
        host: the header, with the port.
        given: the secrets it brings: token of the query, session, authorization.
        is_log_in: whether the token stands in its address.
        origin: the page that sent it, as the browser says; empty if it does not.
        site: how that page is related to this server, as the browser says (``same-origin``, ``cross-site``, …).
        is_navigation: whether the user opens a page, and no script reads the answer.
    """

    method: str
    path: str
    host: str
    given: tuple[str, ...] = ()
    is_log_in: bool = False
    origin: str = ""
    site: str = ""
    is_navigation: bool = False


@dataclass(frozen=True)
class Gate:
    """The rules of one server.

    Attributes:
        token: the secret that lets in.
        port: where it listens, on the loopback interface.
        door: what it guards.
    """

    token: str
    port: int
    door: Door = TO_MLFLOW

    @property
    def cookie(self) -> str:
        """Name of the session's cookie: browsers keep those of all ports of a host together."""
        return f"{self.door.command.replace(' ', '-')}-{self.port}"

    def judge(self, request: Request) -> Verdict:
        """What becomes of a request."""
        if request.host not in self._hosts():
            return Verdict.WRONG_HOST
        if request.path == "/health" and request.method in _READING_METHODS:
            return Verdict.PASS
        if not any(self._is_token(secret) for secret in request.given):
            return Verdict.NO_TOKEN
        if self._is_of_another_site(request):
            return Verdict.OTHER_SITE
        if request.method in _READING_METHODS:
            return Verdict.LOG_IN if request.is_log_in else Verdict.PASS
        is_allowed = request.method == "POST" and self.door.posts.fullmatch(request.path)
        return Verdict.PASS if is_allowed else Verdict.READ_ONLY

    def told(self, verdict: Verdict) -> str:
        """What is answered to a request that is not passed on."""
        return verdict.message.format(command=self.door.command, read_only=self.door.read_only)

    def read(self, environ: Environ) -> Request:
        """The request of a WSGI environment."""
        query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""))
        tokens = query.get(TOKEN_PARAMETER, [])
        secrets = [*tokens, _session(environ, self.cookie), _authorization(environ)]
        return Request(
            method=str(environ["REQUEST_METHOD"]).upper(),
            path=str(environ.get("PATH_INFO", "")),
            host=str(environ.get("HTTP_HOST", "")),
            given=tuple(secret for secret in secrets if secret),
            is_log_in=any(self._is_token(token) for token in tokens),
            origin=str(environ.get("HTTP_ORIGIN", "")),
            site=str(environ.get("HTTP_SEC_FETCH_SITE", "")),
            is_navigation=environ.get("HTTP_SEC_FETCH_MODE") == "navigate",
        )

    def _hosts(self) -> tuple[str, str]:
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    def _is_token(self, secret: str) -> bool:
        return hmac.compare_digest(secret.encode(errors="replace"), self.token.encode())

    def _is_of_another_site(self, request: Request) -> bool:
        if request.origin and request.origin not in [f"http://{host}" for host in self._hosts()]:
            return True
        if request.method in _READING_METHODS and request.is_navigation:
            return False
        return request.site in ("cross-site", "same-site")


class GatedApplication:
    """A WSGI application behind a gate."""

    def __init__(self, application: Application, gate: Gate) -> None:
        self._application, self._gate = application, gate

    def __call__(self, environ: Any, start_response: StartResponse) -> Iterable[bytes]:
        verdict = self._gate.judge(self._gate.read(environ))
        if verdict is Verdict.PASS:
            return self._application(environ, start_response)
        # A body that nobody reads must not be taken for the next request of the connection.
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        if verdict is Verdict.LOG_IN:
            headers += [("Location", _without_token(environ)), ("Set-Cookie", self._set_cookie())]
        if verdict is Verdict.NO_TOKEN:
            headers += [("WWW-Authenticate", "Bearer")]
        body = f"{self._gate.told(verdict)}\n".encode()
        status = verdict.status
        start_response(f"{status.value} {status.phrase}", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _set_cookie(self) -> str:
        # Lax, not Strict: the page that leads here may be a file, and its first request is to have the cookie.
        return f"{self._gate.cookie}={self._gate.token}; Path=/; HttpOnly; SameSite=Lax"


def _session(environ: Environ, name: str) -> str:
    try:
        found = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _authorization(environ: Environ) -> str:
    """The token of a client: as a bearer, or as the password of whatever user (``MLFLOW_TRACKING_PASSWORD``)."""
    scheme, _, value = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _without_token(environ: Environ) -> str:
    """The same address, so that the token stays in no history; a browser keeps the part behind ``#`` by itself."""
    query = urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    rest = urllib.parse.urlencode([(name, value) for name, value in query if name != TOKEN_PARAMETER])
    # One slash only: two would name another host.
    path = "/" + urllib.parse.quote(str(environ.get("PATH_INFO", "")).lstrip("/\\"))
    return f"{path}?{rest}" if rest else path
