"""When a search asks the memory what earlier tasks say of a phase: once, before anything is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from graft.experiments.history import SearchHistory
from graft.journal.events import RecommendationsMade
from graft.journal.journal import Journal
from graft.meta.recommend.head_order import in_recommended_order
from graft.meta.recommend.prior import NO_PRIOR, Prior
from graft.pipeline.memory.recommending import reasons_of
from graft.search.protocol import LearnsFromTasks, Observation, Searcher
from graft.spec.search.phases import Phase
from graft.spec.strategy import Strategy


@dataclass(frozen=True)
class Asked:
    """The answer of the memory, which takes seconds.

    Attributes:
        ask: called when somebody wants to know it for the first time.
    """

    ask: Callable[[], Prior]

    @cached_property
    def prior(self) -> Prior:
        """What it says."""
        return self.ask()

    def reason_of(self, strategy: Strategy) -> str:
        """Why a strategy is recommended; empty if it is not, or the memory has not been asked yet."""
        return self._reasons(strategy) if "prior" in vars(self) else ""

    @cached_property
    def _reasons(self) -> Callable[[Strategy], str]:
        return reasons_of(self.prior)


@dataclass(frozen=True)
class InformedSearch:
    """A searcher that is told what earlier tasks want when it is to draw.

    Attributes:
        searcher: which.
        asked: the memory.
    """

    searcher: LearnsFromTasks
    asked: Asked

    def draw(self, index: int, history: tuple[Observation, ...]) -> Strategy | None:
        """See `Searcher.draw`."""
        return self._informed.draw(index, history)

    @cached_property
    def _informed(self) -> Searcher:
        return self.searcher.informed(self.asked.prior)


@dataclass(frozen=True)
class Asking:
    """Asks before the first trial, or behind those that are tried before anything is drawn.

    Heads that are solved one after the other come in the order of the memory. Side by side they begin at once, and the
    memory is asked behind them: there its order gains less than asking takes (docs/benchmarks.md), and they leave the
    features by which tasks are compared.

    Attributes:
        journal: is told the answer.
        history: has what was told before.
        recommend: the memory.
        slots: trials at a time.
    """

    journal: Journal
    history: SearchHistory
    recommend: Callable[[Phase], RecommendationsMade | None]
    slots: int

    def of(self, phase: Phase, first: tuple[Strategy, ...]) -> tuple[Asked, tuple[Strategy, ...]]:
        """The answer for a phase, and what is tried before anything is drawn, in its order.

        Args:
            phase: which.
            first: what is tried before anything is drawn.
        """
        can_wait = self.slots > 1 and phase.index not in self.history.priors
        asked = Asked(lambda: self._prior(phase, len(first) if can_wait else 0))
        return asked, first if first and can_wait else in_recommended_order(first, asked.prior)

    def _prior(self, phase: Phase, before: int) -> Prior:
        """What was told before anything was drawn, whatever the memory has learned since; `before` draws are fixed."""
        drawn = len(self.history.proposed([phase.index])) + self.history.duplicates.get(phase.index, 0)
        if phase.index not in self.history.priors and drawn <= before:
            made = self.recommend(phase)
            if made is not None:
                self.journal.append(made)
                return Prior.from_dict(made.prior)
        return self.history.priors.get(phase.index, NO_PRIOR)
