"""Refuses requests that are too large: Ray Serve (2.60) has no limit of its own, and reads what comes into memory."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TOO_LARGE = 413


class LimitedBody:
    """An ASGI application with a limit of what it is sent.

    Args:
        application: of ASGI.
        most: bytes that the body of a request may have.
    """

    def __init__(self, application: Any, most: int) -> None:
        self._application, self._most = application, most

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """As ASGI says; a body that is too long is answered in the form of MLflow's errors."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the caller has gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                await _refuse(send, self._most)
                return
        await self._application(scope, _Read(body, receive), send)


class _Read:
    """Receives a body that has been read already."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _refuse(send: Send, most: int) -> None:
    told = f"the request is larger than {most / 1e6:g} MB; send fewer samples at once"
    body = json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": told}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": TOO_LARGE, "headers": headers})
    await send({"type": "http.response.body", "body": body})
