"""Whether a search must end now: several may say so, some are asked seldom."""

from collections.abc import Callable

from graft.core.clock import Clock
from graft.journal.events import SearchEnded
from graft.pipeline.watchers import Interrupt

EndOf = Callable[[], SearchEnded | None]
"""Why the search must end now; None if it goes on."""


def end_of_search(interrupt: Interrupt, spent: EndOf, clock: Clock) -> EndOf:
    """That of any search: the user's Ctrl-C at once, else what of the budget is spent, which is asked seldom."""
    seldom = Seldom(spent, clock)
    return lambda: SearchEnded("interrupt") if interrupt.is_requested else seldom()


class FirstCause:
    """Asked all the time whether the search must end; remembers the first reason."""

    def __init__(self, *causes: EndOf) -> None:
        self._causes = causes
        self.ended: SearchEnded | None = None

    def __call__(self) -> bool:
        if self.ended is None:
            self.ended = next((ended for cause in self._causes if (ended := cause()) is not None), None)
        return self.ended is not None


class Seldom:
    """Asks a question no more often than one that costs what it does may be asked, so that it takes `SHARE` at most.

    Whether a budget is spent is looked for in all trials there are: at every report, that would cost more with each
    trial that has ended.

    Args:
        ask: the question.
        clock: that its cost is taken by.
    """

    SHARE = 0.02

    def __init__(self, ask: EndOf, clock: Clock) -> None:
        self._ask, self._clock, self._next = ask, clock, 0.0

    def __call__(self) -> SearchEnded | None:
        began = self._clock.elapsed()
        if began < self._next:
            return None
        answer = self._ask()
        ended = self._clock.elapsed()
        self._next = ended + (ended - began) / self.SHARE
        return answer
