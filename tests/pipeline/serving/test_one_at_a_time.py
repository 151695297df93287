"""The thread that computes for a replica, and when it is known to compute no more."""

import asyncio
import threading

import pytest
import torch
from tests.fixtures.runs import HandClock

from graft.core.errors import ResourceError
from graft.pipeline.serving.one_at_a_time import STANDS_STILL_AFTER_S, OneAtATime


def lose_the_device() -> None:
    raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


def refuse() -> None:
    raise ValueError("not this sample")


def test_one_batch_is_computed_after_the_other() -> None:
    order: list[str] = []

    async def both() -> None:
        one = OneAtATime()
        first = one.run(lambda: order.extend(["first begins", "first ends"]))
        second = one.run(lambda: order.extend(["second begins", "second ends"]))
        await asyncio.gather(first, second)

    asyncio.run(both())
    assert order == ["first begins", "first ends", "second begins", "second ends"]


def test_a_batch_that_does_not_end_is_found() -> None:
    clock, begun, ends = HandClock(), threading.Event(), threading.Event()
    one = OneAtATime(clock.now)

    def hang() -> None:
        begun.set()
        ends.wait()

    async def look() -> None:
        running = asyncio.ensure_future(one.run(hang))
        await asyncio.to_thread(begun.wait)
        clock.seconds = STANDS_STILL_AFTER_S
        one.check()
        clock.seconds += 1
        with pytest.raises(ResourceError, match="a batch has been computed for 121 s; this replica is started again"):
            one.check()
        ends.set()
        await running
        one.check()

    asyncio.run(look())


def test_a_lost_device_is_not_found_again() -> None:
    one = OneAtATime()
    with pytest.raises(torch.AcceleratorError):
        asyncio.run(one.run(lose_the_device))
    with pytest.raises(ResourceError, match="the device was lost"):
        one.check()


def test_a_request_that_is_refused_says_nothing_of_the_replica() -> None:
    one = OneAtATime()
    with pytest.raises(ValueError, match="not this sample"):
        asyncio.run(one.run(refuse))
    one.check()
