import asyncio
from dataclasses import replace

import pytest
from ray.exceptions import ActorDiedError
from tests.fixtures.coordination import LIMITS, Harness, begun, quiet, scene

from graft.workers.groups.coordinator import Coordinator
from graft.workers.groups.messages import (
    Command,
    Ended,
    Limits,
    Member,
    Order,
    Ticket,
    WorkerLocation,
    WorkStatus,
    WorkUpdate,
)


@scene
async def test_an_order_reaches_every_rank_as_soon_as_all_of_them_wait():
    here = Harness()
    members = await here.start()
    first = await begun(here.coordinator.next_order(members[0], None))
    leasing = await begun(here.coordinator.acquire("trial", None))
    assert not leasing.done()
    second = await begun(here.coordinator.next_order(members[1], None))
    assert (await leasing).group == 0
    await here.coordinator.submit("trial", "order", b"body")
    assert await first == await second == Order(Ticket("order", 0), b"body", 0)
    assert await here.coordinator.nodes("trial") == ("node-0", "node-1")


@scene
async def test_reports_travel_in_lockstep():
    here = Harness()
    members, ticket = await here.under_way()
    reports = [await begun(here.coordinator.report(member, ticket, 0, b"%d" % member.rank)) for member in members]
    assert await here.coordinator.next_update("trial", "order") == WorkUpdate(WorkStatus.REPORT, report=b"0")
    await quiet()
    assert not any(report.done() for report in reports)
    asking = await begun(here.coordinator.next_update("trial", "order"))
    assert await asyncio.gather(*reports) == [True, True]
    assert not asking.done()
    await here.wait_for_orders(members, [Ended(ticket)] * 2)
    assert (await asking).status is WorkStatus.DONE


@scene
async def test_a_rank_that_comes_late_gets_the_verdict_that_the_others_got():
    here = Harness()
    members, ticket = await here.under_way()
    quick = await begun(here.coordinator.report(members[0], ticket, 0, b"first"))
    await here.coordinator.next_update("trial", "order")
    asking = await begun(here.coordinator.next_update("trial", "order"))
    assert await quick is True
    second = await begun(here.coordinator.report(members[0], ticket, 1, b"second"))
    assert (await asking).report == b"second"
    await here.coordinator.abandon("trial", "order")
    assert await second is False
    assert await here.coordinator.report(members[1], ticket, 0, b"") is True
    assert await here.coordinator.report(members[1], ticket, 1, b"") is False


@scene
async def test_a_report_after_the_order_was_abandoned_is_answered_at_once():
    here = Harness()
    members, ticket = await here.under_way()
    await here.coordinator.abandon("trial", "order")
    assert await here.coordinator.report(members[1], ticket, 0, b"") is False


@scene
async def test_asking_for_more_does_not_revoke_a_stop():
    here = Harness(size=3)
    members, ticket = await here.under_way()
    quick = await begun(here.coordinator.report(members[0], ticket, 0, b""))
    await here.coordinator.next_update("trial", "order")
    await here.coordinator.fail(members[1], Ended(ticket, "ValueError: boom"))
    assert await quick is False
    asking = await begun(here.coordinator.next_update("trial", "order"))
    assert await here.coordinator.report(members[2], ticket, 0, b"") is False
    asking.cancel()


@scene
async def test_ranks_that_must_stop_agree_on_a_check_that_none_has_passed():
    here = Harness()
    members, ticket = await here.under_way()
    watching = [await begun(here.coordinator.watch(member, None)) for member in members]
    await here.coordinator.abandon("trial", "order")
    assert await asyncio.gather(*watching) == [(Command.STOP, ticket)] * 2
    line = await begun(here.coordinator.stop_check(members[0], ticket, 5))
    assert not line.done()
    assert await here.coordinator.stop_check(members[1], ticket, 4) == await line == 6
    again = await begun(here.coordinator.watch(members[0], ticket))
    assert not again.done()
    again.cancel()


@scene
async def test_an_abandoned_group_is_free_when_all_ranks_are_back():
    here = Harness()
    members, ticket = await here.under_way()
    await here.coordinator.release("trial")
    leasing = await begun(here.coordinator.acquire("next", None))
    (first,) = await here.wait_for_orders(members[:1], [Ended(ticket)])
    assert not leasing.done()
    (second,) = await here.wait_for_orders(members[1:], [Ended(ticket)])
    assert (await leasing).group == 0
    await here.coordinator.submit("next", "other", b"")
    assert (await first).generation == (await second).generation == 0


@scene
async def test_the_first_error_is_told_and_the_next_order_gets_a_new_process_group():
    here = Harness()
    members, ticket = await here.under_way()
    await here.coordinator.fail(members[1], Ended(ticket, "ValueError: boom"))
    asking = await begun(here.coordinator.next_update("trial", "order"))
    assert not asking.done()
    await here.coordinator.fail(members[0], Ended(ticket, "RuntimeError: connection closed by peer"))
    assert await asking == WorkUpdate(WorkStatus.FAILED, reason="ValueError: boom")
    tasks = await here.wait_for_orders(members)
    await here.coordinator.submit("trial", "other", b"")
    assert [order.generation for order in await asyncio.gather(*tasks)] == [1, 1]


@scene
async def test_an_error_ends_the_report_that_the_others_wait_in():
    here = Harness()
    members, ticket = await here.under_way()
    waiting = await begun(here.coordinator.report(members[1], ticket, 0, b""))
    await here.coordinator.fail(members[0], Ended(ticket, "ValueError: boom"))
    assert await waiting is False


@scene
async def test_an_order_is_begun_again_by_the_workers_that_follow():
    here = Harness()
    members, ticket = await here.under_way()
    stuck = await begun(here.coordinator.report(members[0], ticket, 0, b"old"))
    await here.coordinator.next_update("trial", "order")
    followers = await here.restart("b")
    assert await stuck is False
    assert await here.coordinator.next_order(members[0], Ended(ticket)) is None
    assert (await here.coordinator.watch(members[0], None))[0] is Command.LEAVE
    orders = await asyncio.gather(*await here.wait_for_orders(followers))
    assert {(order.ticket, order.ended_by) for order in orders} == {(Ticket("order", 1), "a worker died")}
    await begun(here.coordinator.report(followers[0], Ticket("order", 1), 0, b"new"))
    assert (await here.coordinator.next_update("trial", "order")).report == b"new"


@scene
async def test_an_order_whose_workers_die_too_often_fails_and_the_group_goes_on():
    here = Harness()
    await here.under_way()
    await asyncio.gather(*await here.wait_for_orders(await here.restart("b")))
    members = await here.restart("c")
    assert await here.coordinator.next_update("trial", "order") == WorkUpdate(
        WorkStatus.FAILED, reason="its workers died 2 times"
    )
    tasks = await here.wait_for_orders(members)
    await here.coordinator.submit("trial", "other", b"")
    assert {order.ticket for order in await asyncio.gather(*tasks)} == {Ticket("other", 0)}


@scene
async def test_only_attempts_that_were_begun_are_counted():
    here = Harness()
    await here.under_way()
    for incarnation in "bcd":
        members = await here.restart(incarnation)
        await begun(here.coordinator.next_order(members[0], None))
    tasks = await here.wait_for_orders(await here.restart("e"))
    assert (await tasks[0]).ticket == Ticket("order", 1)


@scene
async def test_the_death_of_workers_that_had_nothing_to_do_is_not_counted():
    here = Harness()
    await here.start("a")
    await here.restart("b")
    tasks = await here.wait_for_orders(await here.restart("c"))
    await here.lease()
    await here.coordinator.submit("trial", "order", b"")
    assert (await tasks[0]).ticket == Ticket("order", 0)


@scene
async def test_an_abandoned_order_is_not_begun_again():
    here = Harness()
    await here.under_way()
    await here.coordinator.release("trial")
    tasks = await here.wait_for_orders(await here.restart("b"))
    await here.lease("next")
    assert not any(task.done() for task in tasks)


@scene
async def test_workers_that_do_not_leave_in_time_are_ended():
    here = Harness()
    members, ticket = await here.under_way()
    await here.coordinator.release("trial")
    await here.at(9)
    watching = await begun(here.coordinator.watch(members[0], ticket))
    assert not watching.done()
    await here.at(11)
    assert (await watching)[0] is Command.DIE


@scene
async def test_an_error_is_final_if_the_rank_that_hangs_is_alive():
    here = Harness()
    members, ticket = await here.under_way()
    await here.coordinator.fail(members[0], Ended(ticket, "ValueError: boom"))
    for member in members:
        await begun(here.coordinator.stop_check(member, ticket, 3))
    await here.at(11)
    assert await here.coordinator.next_update("trial", "order") == WorkUpdate(
        WorkStatus.FAILED, reason="ValueError: boom"
    )


@scene
async def test_an_error_is_not_final_if_a_peer_has_died():
    here = Harness()
    members, ticket = await here.under_way()
    await here.coordinator.fail(members[0], Ended(ticket, "RuntimeError: connection closed by peer"))
    await begun(here.coordinator.stop_check(members[0], ticket, 3))
    await here.at(11)
    tasks = await here.wait_for_orders(await here.restart("b"))
    assert (await tasks[0]).ticket == Ticket("order", 1)


@scene
async def test_free_groups_go_to_who_asked_first():
    here = Harness()
    waiting = [await begun(here.coordinator.acquire(name, None)) for name in ("one", "two")]
    await here.wait_for_orders(await here.start())
    assert (await waiting[0]).group == 0
    assert not waiting[1].done()
    await here.coordinator.release("one")
    assert (await waiting[1]).group == 0


@scene
async def test_two_groups_serve_two_trials():
    here = Harness(groups=2)
    for group in (0, 1):
        await here.wait_for_orders(await here.start(group=group))
    replies = [await here.coordinator.acquire(name, None) for name in ("one", "two")]
    assert {reply.group for reply in replies} == {0, 1}


@scene
async def test_a_lease_runs_out_without_a_sign_of_life():
    here = Harness()
    members, _ = await here.under_way()
    await here.at(14)
    await here.at(28, renew=False)
    waiting = await begun(here.coordinator.report(members[0], Ticket("order", 0), 0, b""))
    assert not waiting.done()
    await here.at(30, renew=False)
    assert await waiting is False
    assert (await here.coordinator.next_update("trial", "order")).reason == "the lease of its workers has run out"


@scene
async def test_an_order_that_comes_too_late_does_not_reach_the_group_of_another():
    here = Harness()
    members, ticket = await here.under_way()
    await here.coordinator.abandon("trial", "order")
    late = await begun(here.coordinator.submit("trial", "late", b"late"))
    await here.coordinator.release("trial")
    await here.lease_later("next")
    tasks = await here.wait_for_orders(members, [Ended(ticket)] * 2)
    assert await late is False
    assert not any(task.done() for task in tasks)
    await here.coordinator.submit("next", "other", b"")
    assert (await tasks[0]).ticket == Ticket("other", 0)


@scene
async def test_a_lease_ends_with_the_actor_that_holds_it():
    class Holder:
        def __init__(self) -> None:
            self.death: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.__ray_ready__ = self

        def remote(self) -> asyncio.Future[None]:
            return self.death

    here = Harness()
    await here.wait_for_orders(await here.start())
    holder = Holder()
    await here.coordinator.acquire("trial", holder)
    await here.at(1000, renew=False)
    leasing = await begun(here.coordinator.acquire("next", None))
    assert not leasing.done(), "who holds it is slow, and no more"
    holder.death.set_exception(ActorDiedError())
    assert (await leasing).group == 0


@scene
async def test_calls_of_leaseholders_are_not_held_back_for_long():
    here = Harness(limits=Limits(poll_s=0.01))
    reply = await here.coordinator.acquire("trial", None)
    assert (reply.group, reply.reason) == (None, "")
    await here.coordinator.release("trial")
    await here.under_way()
    assert (await here.coordinator.next_update("trial", "order")).status is WorkStatus.WAIT
    assert await here.coordinator.submit("trial", "other", b"") is False


@scene
async def test_a_group_is_started_again_only_if_somebody_wants_it():
    here = Harness()
    await here.start()
    await here.coordinator.run_ended(0, "the controller died")
    wanting = await begun(here.coordinator.wanted(0))
    assert not wanting.done()
    leasing = await begun(here.coordinator.acquire("trial", None))
    assert await wanting is True
    leasing.cancel()


@scene
async def test_groups_that_are_good_for_nothing_are_given_up():
    here = Harness()
    leasing = await begun(here.coordinator.acquire("trial", None))
    for run in "ab":
        assert await here.coordinator.wanted(0)
        assert not leasing.done()
        await here.restart(run)
        await here.coordinator.run_ended(0, "the workers cannot be started")
    assert (await leasing).reason == "the workers cannot be started"
    assert await here.coordinator.wanted(0) is False


@scene
async def test_a_run_in_which_an_order_ended_was_good_for_something():
    here = Harness()
    members, ticket = await here.under_way()
    await here.wait_for_orders(members, [Ended(ticket)] * 2)
    for _ in range(2):
        await here.coordinator.run_ended(0, "its workers died")
        await begun(here.coordinator.acquire("next", None))
        assert await here.coordinator.wanted(0)


@scene
async def test_groups_that_do_not_come_up_are_given_up_but_welcome_later():
    here = Harness()
    await here.coordinator.wanted(0)
    leasing = await begun(here.coordinator.acquire("trial", None))
    await here.at(299)
    assert not leasing.done()
    await here.at(301)
    assert (await leasing).reason == "they have not come up within 300 s"
    await here.wait_for_orders(await here.restart("late"))
    assert (await here.coordinator.acquire("trial", None)).group == 0
    await here.coordinator.submit("trial", "order", b"")
    asking = await begun(here.coordinator.next_update("trial", "order"))
    assert not asking.done()
    asking.cancel()


@scene
async def test_groups_that_do_not_come_up_again_are_given_up():
    here = Harness()
    await here.start("a")
    await here.at(1000)
    leasing = await begun(here.coordinator.acquire("trial", None))
    await here.coordinator.join(Member(0, "b", 0), WorkerLocation(2, "node"))
    await here.at(1299)
    assert not leasing.done()
    await here.at(1301)
    assert (await leasing).reason == "they have not come up within 300 s"


@scene
async def test_one_group_is_enough():
    here = Harness(groups=2)
    await here.coordinator.give_up(Member(0, "a", 0), "the payload cannot be loaded")
    leasing = await begun(here.coordinator.acquire("trial", None))
    assert not leasing.done()
    await here.coordinator.give_up(Member(1, "b", 0), "the payload cannot be loaded")
    assert (await leasing).reason == "the payload cannot be loaded"


@scene
async def test_closing_sends_everybody_away():
    here = Harness()
    members, ticket = await here.under_way()
    waiting = await begun(here.coordinator.report(members[0], ticket, 0, b""))
    await here.coordinator.close()
    assert await waiting is False
    assert await here.coordinator.next_order(members[0], Ended(ticket)) is None
    assert await here.coordinator.wanted(0) is False
    assert (await here.coordinator.acquire("next", None)).reason == "the workers have been sent away"


@scene
async def test_all_ranks_meet_where_rank_0_says():
    here = Harness()
    members = await here.start()
    other = await begun(here.coordinator.meet(members[1], 0, None))
    assert not other.done()
    assert await here.coordinator.meet(members[0], 0, ("host", 7)) == await other == ("host", 7)


def test_the_clock_is_looked_at_for_ever():
    async def look() -> None:
        coordinator = Coordinator(1, LIMITS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(coordinator.keep_time(), 0.01)

    asyncio.run(look())


async def two_trials(move_s: float = 45) -> Harness:
    """One works in group 0, one holds group 1 and does not need it."""
    here = Harness(groups=2, limits=replace(LIMITS, move_s=move_s, lease_s=1e9))
    await here.under_way()
    await here.coordinator.wanted(1)
    others = [Member(1, "other", rank) for rank in range(2)]
    for member in others:
        await here.coordinator.join(member, WorkerLocation(2, "far"))
    await here.wait_for_orders(others)
    assert (await here.coordinator.acquire("holder", None)).group == 1
    return here


@scene
async def test_a_trial_whose_node_has_left_gets_the_next_group_that_is_free():
    here = await two_trials()
    asking = await begun(here.coordinator.next_update("trial", "order"))
    here.coordinator.lose_nodes({"node-0", "far"})
    await here.at(44)
    assert not asking.done()
    await here.at(45)
    assert (await asking).status is WorkStatus.MOVED
    assert await here.coordinator.nodes("trial") == ()
    waiting = await begun(here.coordinator.acquire("trial", None))
    assert not waiting.done()
    await here.coordinator.release("holder")
    assert (await waiting).group == 1
    assert await here.coordinator.submit("trial", "order", b"body")


@scene
async def test_who_waits_long_for_a_group_is_starved():
    here = await two_trials()
    here.coordinator.lose_nodes({"node-0", "far"})
    await here.at(45)
    assert not await here.coordinator.is_starved()
    await here.at(91)
    assert await here.coordinator.is_starved()
    await here.coordinator.release("holder")
    await quiet()
    assert not await here.coordinator.is_starved()


@scene
async def test_workers_that_come_back_in_time_keep_their_trial():
    here = await two_trials()
    here.coordinator.lose_nodes({"node-0", "far"})
    await here.at(30)
    orders = await asyncio.gather(*await here.wait_for_orders(await here.restart("b")))
    assert {order.ticket for order in orders} == {Ticket("order", 1)}
    await here.at(100)
    assert await here.coordinator.nodes("trial") == ("node-0", "node-1")


@scene
async def test_the_only_group_is_waited_for():
    here = Harness(limits=replace(LIMITS, move_s=45, lease_s=1e9))
    await here.under_way()
    here.coordinator.lose_nodes(set())
    await here.at(200)
    assert await here.coordinator.nodes("trial") == ("node-0", "node-1")


@scene
async def test_a_group_that_is_not_needed_is_let_go_and_comes_back():
    here = Harness(groups=2, size=1)
    first, second = await here.start("a", 0), await here.start("b", 1)
    tasks = [*await here.wait_for_orders(first), *await here.wait_for_orders(second)]
    await here.lease()
    await here.coordinator.keep(1)
    await quiet()
    assert [task.done() for task in tasks] == [False, True]
    assert await tasks[1] is None, "its worker has to go"
    await here.coordinator.run_ended(1, "its workers left")
    wanted = await begun(here.coordinator.wanted(1))
    await here.at(1000.0)
    assert not wanted.done(), "it rests, and is not given up for being late"
    await here.lease_later("second trial")
    await here.coordinator.keep(2)
    assert await wanted, "it is started again for the trial that waits"


@scene
async def test_a_group_at_work_is_let_go_when_its_trial_has_ended():
    here = Harness(groups=2, size=1)
    first, second = await here.start("a", 0), await here.start("b", 1)
    tasks = [*await here.wait_for_orders(first), *await here.wait_for_orders(second)]
    await here.lease()
    await here.lease("other")
    await here.coordinator.keep(1)
    await quiet()
    assert [task.done() for task in tasks] == [False, False], "both are held"
    await here.coordinator.release("other")
    await quiet()
    assert [task.done() for task in tasks] == [False, True]
