"""Ranks are threads here, and their collective operation is a barrier: who leaves alone leaves the others hanging."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import pytest

from graft.workers.groups.channel import KEPT_BARRIERS, Channel, StopBarrier, StopBarriers, handle_commands
from graft.workers.groups.coordinator import Coordinator
from graft.workers.groups.messages import Ended, Limits, Member, Ticket, WorkerLocation, WorkStatus

RANKS = 3
HANGS_S = 30


def test_a_stop_barrier_lets_pass_until_it_is_reached():
    line = StopBarrier()
    assert [line.is_reached() for _ in range(3)] == [False] * 3
    assert line.freeze() == 3
    line.settle(5)
    assert [line.is_reached() for _ in range(3)] == [False, True, True]


def test_a_frozen_stop_barrier_holds_the_next_check_until_it_is_settled():
    line = StopBarrier()
    line.freeze()
    answers: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(line.is_reached()))
    asking.start()
    assert answers == []
    line.settle(2)
    asking.join(HANGS_S)
    assert answers == [False]
    assert line.freeze() == 1


def test_who_works_and_who_listens_get_the_same_line():
    lines = StopBarriers()
    tickets = [Ticket("order", attempt) for attempt in range(KEPT_BARRIERS + 1)]
    first = lines.of(tickets[0])
    assert lines.of(tickets[0]) is first
    for ticket in tickets[1:]:
        lines.of(ticket)
    assert lines.of(tickets[0]) is not first


def test_after_a_report_that_was_abandoned_every_check_says_so():
    channel = Channel(Ticket("order", 2), (0, 1), None, StopBarrier(), lambda ticket, number, value: number < 1)
    assert channel.attempt == 2
    assert channel.report("a") is True
    assert channel.is_abandoned() is False
    assert channel.report("b") is False
    assert channel.is_abandoned() is True


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop

    async def end() -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run_coroutine_threadsafe(end(), loop).result(HANGS_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def listen(call: Any, lines: StopBarriers) -> None:
    with contextlib.suppress(CancelledError):  # the loop has ended
        handle_commands(call, lines, lambda: None)


@pytest.mark.parametrize("seed", range(12))
def test_ranks_of_different_speeds_leave_at_the_same_step(loop, seed):
    """The order is abandoned at a random moment; all ranks must have done the same steps, and none may hang."""

    def wait(call: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(call, loop).result(HANGS_S)

    async def make() -> Coordinator:
        return Coordinator(1, Limits(poll_s=HANGS_S))

    coordinator = wait(make())
    wait(coordinator.wanted(0))
    together = threading.Barrier(RANKS)
    begun = threading.Event()

    def rank(number: int) -> int:
        run_clock = random.Random(1000 * seed + number)
        member = Member(0, "a", number)
        lines = StopBarriers()

        def call(method: str, *arguments: Any) -> Any:
            return wait(getattr(coordinator, method)(member, *arguments))

        call("join", WorkerLocation(RANKS, "node"))
        threading.Thread(target=listen, args=(call, lines), daemon=True).start()
        order = call("next_order", None)
        ticket = order.ticket
        send = lambda ticket, count, value: call("report", ticket, count, b"%d" % value)  # noqa: E731
        channel = Channel(ticket, (number, RANKS), None, lines.of(ticket), send)
        steps = 0
        while not channel.is_abandoned():
            threading.Event().wait(run_clock.random() * 0.002)
            together.wait(HANGS_S)
            steps += 1
            begun.set()
            if steps % 10 == 0 and not channel.report(steps):
                break
        threading.Thread(target=lambda: call("next_order", Ended(ticket)), daemon=True).start()
        return steps

    with ThreadPoolExecutor(RANKS) as pool:
        ranks = [pool.submit(rank, number) for number in range(RANKS)]
        assert wait(coordinator.acquire("trial", None)).group == 0
        wait(coordinator.submit("trial", "order", b""))
        begun.wait(HANGS_S)
        for _ in range(seed % 4):
            assert wait(coordinator.next_update("trial", "order")).status is WorkStatus.REPORT
        threading.Event().wait(random.Random(seed).random() * 0.02)
        wait(coordinator.release("trial"))
        steps = [done.result(HANGS_S) for done in ranks]
    assert len(set(steps)) == 1
    assert wait(coordinator.acquire("next", None)).group == 0
    wait(coordinator.close())
