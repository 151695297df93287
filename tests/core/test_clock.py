import time

from graft.core.clock import SystemClock


def test_now_is_the_time_of_day():
    before = time.time()
    assert before <= SystemClock().now() <= time.time()


def test_elapsed_does_not_follow_the_wall_clock(monkeypatch):
    clock = SystemClock()
    before = clock.elapsed()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.elapsed() >= before
