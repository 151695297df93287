"""Which strategies are trained, in the order of their trials; none is trained twice. No Ray, no torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from graft.search.protocol import Checkpoint, Duplicate, Observation, Proposal, Searcher
from graft.search.searchers.grid import GridSearch
from graft.spec.components.skip import Depth
from graft.spec.metrics import MetricSpec
from graft.spec.search.phases import Phase
from graft.spec.search.searchers import GridSearcher
from graft.spec.space.nodes import Component
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

# A draw that repeats an earlier strategy is drawn again; this many repeats in a row mean that the space is used up.
MAX_REPEATS = 100

DepthOf = Callable[[Strategy], int | Depth | None]
History = Callable[[], tuple[Observation, ...]]


@dataclass(frozen=True)
class Earlier:
    """What was proposed before: by earlier phases, and by this one if the search goes on after a break.

    Attributes:
        first: number of the phase's first trial; 1 is "t01".
        known: key of strategy -> trial, of earlier phases; they are not proposed again.
        proposed: (trial, key of strategy) of each trial this phase has begun; they count towards its trials. A key is
            that of the proposal's strategy, which is the canonical form.
        duplicates: how many duplicates this phase has reported.
    """

    first: int = 1
    known: Mapping[str, str] = field(default_factory=dict)
    proposed: Sequence[tuple[str, str]] = ()
    duplicates: int = 0


class SearchProposer:
    """Proposes what a searcher draws.

    Two draws with one canonical form are one trial: the second is reported as a duplicate and drawn again. Every draw
    counts, so a search that goes on after a break asks its searcher for the draw that it would have asked for next.

    Args:
        searcher: draws strategies.
        phase: what the trials belong to; `phase.trials` is how many there are at most, None is no limit.
        history: what is known of all trials so far, in the order they were proposed.
        depth: blocks of a strategy's backbone, or None if unknown; it snaps shares of them to block borders.
        earlier: what was proposed before.
        first: strategies that take the first draws, before the searcher is asked; they run to their end.
    """

    def __init__(
        self,
        searcher: Searcher,
        phase: Phase,
        *,
        history: History = tuple,
        depth: DepthOf = lambda _: None,
        earlier: Earlier = Earlier(),
        first: Sequence[Strategy] = (),
    ) -> None:
        self._searcher = searcher
        self._first = tuple(first)
        self._history = history
        self._trials = _Trials(phase, depth, earlier)
        self._draws = self._trials.next_member + earlier.duplicates
        self.is_exhausted = False

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        """The next strategy, or None when there are trials enough, or the space is used up (`is_exhausted`)."""
        if self._trials.are_enough or self.is_exhausted:
            return None
        known, repeats = self._history(), list[Observation]()
        while len(repeats) < MAX_REPEATS:
            # A repeat is told like a trial that has no value yet, so that the searcher does not suggest it for ever.
            is_first = self._draws < len(self._first)
            drawn = self._first[self._draws] if is_first else self._draw((*known, *repeats))
            if drawn is None:
                break
            self._draws += 1
            strategy = self._trials.canonical(drawn)
            twin = self._trials.twin(strategy)
            if twin is None:
                return self._trials.add(strategy, runs_to_end=is_first)
            on_duplicate(twin)
            repeats.append(Observation(drawn, {}))
        self.is_exhausted = True
        return None

    def _draw(self, known: Sequence[Observation]) -> Strategy | None:
        """What the searcher gives; it counts its own draws alone."""
        return self._searcher.draw(self._draws - len(self._first), tuple(known))


class StratifiedProposer:
    """Proposes a population in which every architecture has its share: member k gets architecture k mod A.

    A member gets the first draw of its architecture that no other member has. So what does not fit one member is there
    for a later one, and a search that goes on after a break needs to know nothing but the members it has.

    Args:
        searcher: draws strategies.
        phase: what the members belong to; `phase.trials` is how many there are.
        architectures: the A architectures (`architectures_of`).
        history: what is known of all trials so far, in the order they were proposed.
        depth: blocks of a strategy's backbone, or None if unknown; it snaps shares of them to block borders.
        earlier: what was proposed before.
    """

    def __init__(
        self,
        searcher: Searcher,
        phase: Phase,
        architectures: Sequence[str],
        *,
        history: History = tuple,
        depth: DepthOf = lambda _: None,
        earlier: Earlier = Earlier(),
    ) -> None:
        self._searcher = searcher
        self._architectures = tuple(architectures)
        self._history = history
        self._trials = _Trials(phase, depth, earlier)
        self._duplicates = earlier.duplicates
        self.is_exhausted = False

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        """The next member, or None when there are enough, or none is left of its architecture (`is_exhausted`)."""
        if self._trials.are_enough or self.is_exhausted:
            return None
        strategy = self._next(on_duplicate)
        self.is_exhausted = strategy is None
        return None if strategy is None else self._trials.add(strategy)

    def _next(self, on_duplicate: Callable[[Duplicate], None]) -> Strategy | None:
        wanted = self._architectures[self._trials.next_member % len(self._architectures)]
        history = self._history()
        met: set[str] = set()
        duplicates = 0
        for index in range(len(self._architectures) * (MAX_REPEATS + self._trials.count)):
            drawn = self._searcher.draw(index, history)
            if drawn is None:
                return None
            strategy = self._trials.canonical(drawn)
            twin = self._trials.twin(strategy)
            if twin is None and strategy.architecture() == wanted:
                return strategy
            if twin is not None and (twin.key in met or not self._trials.has(twin.of)):
                duplicates += 1
                if duplicates > self._duplicates:
                    self._duplicates = duplicates
                    on_duplicate(twin)
            met.add(strategy.key())
        return None


class SurvivorProposer:
    """Proposes to go on from the best trials of the phase before.

    In a population, member i goes on from survivor i mod n, so that all places are filled; whoever is not the first
    from a survivor explores. Any other phase goes on with each survivor once.

    Args:
        survivors: strategy and checkpoint of the n best trials, best first.
        phase: what the trials belong to; `phase.trials` is the size of the population, or the most trials.
        explore: ``explore(strategy, member)`` gives a variation of a survivor's strategy.
        earlier: what was proposed before; the keys and `known` do not matter here.
    """

    def __init__(
        self,
        survivors: Sequence[tuple[Strategy, Checkpoint]],
        phase: Phase,
        explore: Callable[[Strategy, int], Strategy],
        *,
        earlier: Earlier = Earlier(),
    ) -> None:
        self._survivors = tuple(survivors)
        self._explore = explore
        self._phase = phase
        self._names = _Names(earlier)
        self.is_exhausted = False

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        """The next trial, or None when there are enough; nothing counts as a duplicate, as starting points differ."""
        member = self._names.next_member
        if member >= self._size():
            return None
        strategy, checkpoint = self._survivors[member % len(self._survivors)]
        if member >= len(self._survivors):
            strategy = self._explore(strategy, member)
        return Proposal(self._names.take(), strategy, checkpoint, epochs=self._phase.epochs, phase=self._phase.index)

    def _size(self) -> int:
        count, most = len(self._survivors), self._phase.trials
        if most is None or count == 0:
            return count
        return most if self._phase.is_population_based else min(count, most)


def architectures_of(space: StrategySpace, depth: DepthOf = lambda _: None) -> tuple[str, ...]:
    """Every architecture (`Strategy.architecture`) that can be drawn; a range in the head counts with one value.

    Args:
        space: what is drawn from.
        depth: blocks of a strategy's backbone, or None if unknown; it snaps shares of them to block borders.
    """
    shaping = ("backbone", "structure", "head", "episodes")
    shape = tuple((name, node) for name, node in space.root.fields if name in shaping)
    metric = MetricSpec("any", "max")  # nothing is compared here
    grid = GridSearch(GridSearcher(points=1), StrategySpace(Component(None, shape)), metric, seed=0)
    drawn = [grid.draw(index, ()) for index in range(grid.size)]
    found = (strategy.canonical(depth(strategy)) for strategy in drawn if strategy is not None)
    return tuple(sorted({strategy.architecture() for strategy in found}))


class _Names:
    """Gives the trials of a phase their names. Trials may begin in another order, so a break can leave a gap."""

    def __init__(self, earlier: Earlier) -> None:
        self._first = earlier.first
        self._taken = {trial for trial, _ in earlier.proposed}
        self.next_member = 0
        self._pass_over_taken()

    @property
    def count(self) -> int:
        return len(self._taken)

    def take(self) -> str:
        name = self._name()
        self._taken.add(name)
        self._pass_over_taken()
        return name

    def _pass_over_taken(self) -> None:
        while self._name() in self._taken:
            self.next_member += 1

    def _name(self) -> str:
        return f"t{self._first + self.next_member:02d}"


class _Trials:
    """The trials of a phase, by the strategy they train."""

    def __init__(self, phase: Phase, depth: DepthOf, earlier: Earlier) -> None:
        self._phase = phase
        self._depth = depth
        self._names = _Names(earlier)
        self._known = dict(earlier.known)
        self._own = {key: trial for trial, key in earlier.proposed}

    @property
    def count(self) -> int:
        return self._names.count

    @property
    def next_member(self) -> int:
        return self._names.next_member

    @property
    def are_enough(self) -> bool:
        return self._phase.trials is not None and self.count >= self._phase.trials

    def canonical(self, strategy: Strategy) -> Strategy:
        return strategy.canonical(self._depth(strategy))

    def twin(self, strategy: Strategy) -> Duplicate | None:
        """The strategy as the duplicate of a trial that trains the same; None if there is no such trial."""
        key = strategy.key()
        trial = self._own.get(key, self._known.get(key))
        return None if trial is None else Duplicate(of=trial, key=key)

    def has(self, trial: str) -> bool:
        """Whether the trial is of this phase."""
        return trial in self._own.values()

    def add(self, strategy: Strategy, runs_to_end: bool = False) -> Proposal:
        name, phase = self._names.take(), self._phase
        self._own[strategy.key()] = name
        epochs = 1 if strategy.head.is_solved else phase.epochs
        return Proposal(name, strategy, epochs=epochs, phase=phase.index, runs_to_end=runs_to_end)
