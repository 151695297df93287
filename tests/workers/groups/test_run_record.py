from graft.workers.groups.messages import Limits
from graft.workers.groups.run_record import RunRecord

LIMITS = Limits(start_s=300, barren_runs=3)


def test_a_group_that_stays_down_over_several_runs_is_late_once():
    record = RunRecord(LIMITS)
    record.begin(0, now=0)
    record.end(0, was_up=False, reason="no resources")
    record.begin(0, now=200)
    assert not record.is_late(300)
    assert record.is_late(301)
    assert record.reason == "they have not come up within 300 s"
    assert not record.is_late(302)


def test_nobody_waits_for_a_group_that_is_not_wanted():
    record = RunRecord(LIMITS)
    record.begin(0, now=0)
    record.come_up()
    record.end(0, was_up=True, reason="its workers died")
    assert not record.is_late(10_000)
    record.begin(0, now=10_000)
    assert not record.is_late(10_300)
    assert record.is_late(10_301)


def test_workers_that_died_have_the_whole_time_again():
    record = RunRecord(LIMITS)
    record.begin(0, now=0)
    record.come_up()
    record.lose_workers(now=1000)
    assert not record.is_late(1300)
    assert record.is_late(1301)


def test_an_order_that_ended_makes_up_for_barren_runs():
    record = RunRecord(LIMITS)
    for before, after in ((0, 0), (0, 0), (0, 1), (1, 1), (1, 1)):
        record.begin(before, now=0)
        record.end(after, was_up=True, reason="its workers died")
    assert record.reason == ""
    record.begin(1, now=0)
    record.end(1, was_up=True, reason="its workers died")
    assert record.reason == "its workers died"
