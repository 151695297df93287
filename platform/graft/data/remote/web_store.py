"""Files on web servers, over HTTP: read as everybody may, without a login; nothing can be listed."""

import http.client
import io
import urllib.error
import urllib.request
from typing import BinaryIO, cast
from urllib.parse import quote, unquote

from graft.data.remote.faults import Fault, StoreError
from graft.data.remote.store import Entry, Reserve

_SILENCE_S = 20.0
_HERE = frozenset({"169.254.169.254", "metadata.google.internal", "[fd00:ec2::254]"})
"""Servers that tell machines of a cloud their own credentials; no data are there, but a table may be a stranger's."""
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_CHUNK = 1 << 20


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows a server to other addresses of the web, and nowhere else."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        _check_host(newurl.partition("://")[2].partition("/")[0])
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_WebOnly)


class WebStore:
    """A web server.

    Args:
        scheme: ``http`` or ``https``.
        host: with its port, if it has one.
    """

    is_flat = True

    def __init__(self, scheme: str, host: str) -> None:
        self._scheme, self._host = scheme, host

    def entries(self, key: str, is_deep: bool) -> list[Entry]:
        """Raises: a server has no list of its files."""
        raise StoreError(Fault.OTHER, "a web server lists no files")

    def entry(self, key: str) -> Entry | None:
        """What the server says of a file."""
        try:
            with self._request(key, "HEAD") as answer:
                return _entry(answer)
        except StoreError as error:
            if error.fault is Fault.NOTHING_THERE:
                return None
            if error.told not in ("405", "501"):
                raise
        with self._request(key) as answer:
            return _entry(answer)

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """The body, from an offset on."""
        answer = self._request(key, start=start)
        if start and answer.status != http.client.PARTIAL_CONTENT:
            _pass_over(answer, start)
        return cast(BinaryIO, answer)

    def read(self, key: str, most: int, reserve: Reserve) -> bytes:
        """The body."""
        with self._request(key) as answer:
            length = answer.headers.get("Content-Length", "")
            told = int(length) if length.isdigit() else None
            reserve(most if told is None else min(told, most + 1))
            content = answer.read(most + 1)
        if told is not None and len(content) < min(told, most + 1):
            raise StoreError(Fault.NETWORK, f"the connection ended after {len(content)} of {told} bytes")
        return content

    def _request(self, key: str, method: str = "GET", start: int = 0) -> http.client.HTTPResponse:
        _check_host(self._host)
        headers = {"User-Agent": "graft", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        url = f"{self._scheme}://{self._host}/{quoted(key)}"
        try:
            request = urllib.request.Request(url, headers=headers, method=method)
            return cast(http.client.HTTPResponse, _OPENER.open(request, timeout=_SILENCE_S))
        except urllib.error.HTTPError as error:
            error.close()
            raise _sorted_status(error.code) from error
        except urllib.error.URLError as error:
            raise StoreError(Fault.NETWORK, str(error.reason)) from error
        except (http.client.InvalidURL, ValueError) as error:
            raise StoreError(Fault.OTHER, f"is no address ({error})") from error


def quoted(address: str) -> str:
    """An address, or a part of one, as HTTP takes it; what is quoted already stays."""
    return quote(address, safe="/%?&=+,;:@!$'()*~[]-._#")


def file_name(key: str) -> str:
    """The path of an address, without what follows it, as people read it."""
    return unquote(key.partition("?")[0].partition("#")[0])


def _entry(answer: http.client.HTTPResponse) -> Entry:
    length = answer.headers.get("Content-Length", "")
    version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
    return Entry("", int(length) if length.isdigit() else -1, version)


def _check_host(host: str) -> None:
    if host.rpartition("@")[2].rpartition(":")[0] in _HERE or host in _HERE:
        raise StoreError(Fault.OTHER, f"{host} tells machines their credentials, and holds no data")


def _sorted_status(code: int) -> StoreError:
    if code in (404, 410):
        return StoreError(Fault.NOTHING_THERE, "there is nothing there")
    if code in (401, 403, 407):
        return StoreError(Fault.DENIED, f"HTTP status {code}")
    if code in _BUSY:
        return StoreError(Fault.NETWORK, f"HTTP status {code}")
    return StoreError(Fault.OTHER, str(code))


def _pass_over(stream: io.BufferedIOBase, count: int) -> None:
    while count > 0:
        passed = len(stream.read(min(count, _CHUNK)))
        if not passed:
            raise StoreError(Fault.NETWORK, "the file has become shorter")
        count -= passed
