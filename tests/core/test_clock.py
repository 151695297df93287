import threading
import time

from graft.core.clock import SystemClock, acting_after


def test_now_is_the_time_of_day():
    before = time.time()
    assert before <= SystemClock().now() <= time.time()


def test_elapsed_does_not_follow_the_wall_clock(monkeypatch):
    clock = SystemClock()
    before = clock.elapsed()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.elapsed() >= before


def test_what_takes_long_is_acted_on_once_and_what_does_not_never_is() -> None:
    acted = threading.Event()
    with acting_after(0.0, acted.set):
        acted.wait()
    never = threading.Event()
    with acting_after(3600.0, never.set):
        pass
    assert not never.is_set()
