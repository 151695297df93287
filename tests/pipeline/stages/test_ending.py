"""A question that costs much is asked seldom, and one that costs nothing nearly always."""

import pytest

from graft.journal.events import SearchEnded
from graft.pipeline.stages.ending import Seldom, end_of_search
from graft.pipeline.watchers import Interrupt


class Stopwatch:
    """A clock that a question moves by what it costs."""

    def __init__(self, cost: float) -> None:
        self.now_s, self.asked, self._cost = 0.0, 0, cost

    def elapsed(self) -> float:
        return self.now_s

    def now(self) -> float:
        return self.now_s

    def ask(self) -> SearchEnded | None:
        self.now_s, self.asked = self.now_s + self._cost, self.asked + 1
        return None


@pytest.mark.parametrize("cost", [0.001, 0.1])
def test_it_takes_its_share_at_most(cost: float) -> None:
    watch = Stopwatch(cost)
    ask, until = Seldom(watch.ask, watch), 100.0
    while watch.now_s < until:
        ask()
        watch.now_s += 0.001
    assert watch.asked * cost <= until * Seldom.SHARE
    assert watch.asked * cost > until * Seldom.SHARE * 0.9


def test_its_answer_comes_through() -> None:
    answer = SearchEnded("minutes")
    assert Seldom(lambda: answer, Stopwatch(0.0))() is answer


def test_an_interrupt_ends_a_search_at_once_however_seldom_its_budget_is_asked() -> None:
    watch, interrupt = Stopwatch(1.0), Interrupt()
    ends = end_of_search(interrupt, watch.ask, watch)
    assert (ends(), ends(), watch.asked) == (None, None, 1)
    interrupt.is_requested = True
    assert ends() == SearchEnded("interrupt")
    assert end_of_search(Interrupt(), lambda: SearchEnded("minutes"), Stopwatch(0.0))() == SearchEnded("minutes")
