"""Waiting for a change in asyncio: a condition variable whose waiters look for themselves."""

import asyncio
from collections.abc import Callable


class Broadcast:
    """Wakes all who wait for a change; each looks for itself whether it was the one."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify_all(self) -> None:
        """Something has changed."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def wait_for(self, holds: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until the condition holds, at most so long; return whether it does."""
        try:
            async with asyncio.timeout(timeout_s):
                while not holds():
                    future = asyncio.get_running_loop().create_future()
                    self._waiting.add(future)
                    await future
        except TimeoutError:
            pass
        return holds()
