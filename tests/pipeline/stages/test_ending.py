"""A question that costs much is asked seldom, and one that costs nothing nearly always."""

import time

import pytest

from graft.journal.events import SearchEnded
from graft.pipeline.stages import ending
from graft.pipeline.stages.ending import Seldom


class Stopwatch:
    """A clock that a question moves by what it costs."""

    def __init__(self, cost: float) -> None:
        self.now, self.asked, self._cost = 0.0, 0, cost

    def ask(self) -> SearchEnded | None:
        self.now, self.asked = self.now + self._cost, self.asked + 1
        return None


@pytest.mark.parametrize("cost", [0.001, 0.1])
def test_it_takes_its_share_at_most(cost: float, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Stopwatch(cost)
    monkeypatch.setattr(ending.time, "perf_counter", lambda: watch.now)
    ask, until = Seldom(watch.ask), 100.0
    while watch.now < until:
        ask()
        watch.now += 0.001
    assert watch.asked * cost <= until * Seldom.SHARE
    assert watch.asked * cost > until * Seldom.SHARE * 0.9


def test_its_answer_comes_through() -> None:
    answer = SearchEnded("minutes")
    assert Seldom(lambda: answer)() is answer
    assert time.perf_counter() > 0
