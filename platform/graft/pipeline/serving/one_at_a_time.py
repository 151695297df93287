"""Computes for one batch after the other in a thread of its own, and knows when that has come to a standstill."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from graft.core.errors import ResourceError

Result = TypeVar("Result")

STANDS_STILL_AFTER_S = 120.0
"""As for a trial's process (docs/clusters.md): no batch of a service takes so long on a device that answers."""


class OneAtATime:
    """A thread that computes.

    Args:
        clock: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="graft-answers")
        self._since: float | None = None
        self._lost: Exception | None = None

    async def run(self, compute: Callable[[], Result]) -> Result:
        """Compute in the thread, after what it has been given before; the event loop goes on meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._timed, compute)

    def check(self) -> None:
        """Prove that the thread can still compute.

        Raises:
            ResourceError: a batch does not end, or the device was lost; only another process helps.
        """
        since = self._since
        if since is not None and (seconds := self._clock() - since) > STANDS_STILL_AFTER_S:
            raise ResourceError(f"a batch has been computed for {seconds:.0f} s; this replica is started again")
        if self._lost is not None:
            raise ResourceError(f"the device was lost ({self._lost}); this replica is started again") from self._lost

    def _timed(self, compute: Callable[[], Result]) -> Result:
        self._since = self._clock()
        try:
            return compute()
        except torch.AcceleratorError as error:
            self._lost = error
            raise
        finally:
            self._since = None
