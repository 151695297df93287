"""Searches on recorded learning curves: one task of the bank is searched, the others are remembered."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from graft.core.seeds import derive_seed
from graft.meta.memory.records import HeldMemory, Record, Scores, TaskEntry
from graft.meta.recommend.advice import Question, prior_for
from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.prior import Prior
from graft.meta.task_embedding.similarity import similarity
from graft.search.conductor import Conductor
from graft.search.proposer import SearchProposer
from graft.search.protocol import LearnsFromTasks, Observation, Proposal, Scheduler, Searcher
from graft.search.schedulers.build import build_scheduler
from graft.search.searchers.build import build_searcher
from graft.search.simulation import simulate
from graft.spec.search.phases import Phase
from graft.spec.search.schedulers import Asha
from graft.spec.search.searchers import SearcherSpec
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named


@dataclass(frozen=True)
class Curve:
    """What one strategy gave on a task.

    Attributes:
        values: epoch -> value, more is better.
        seconds: epoch -> since the start of the trial.
    """

    values: Mapping[int, float]
    seconds: Mapping[int, float]

    @property
    def epochs(self) -> int:
        """How long it was trained."""
        return max(self.values)

    @property
    def best(self) -> float:
        """Its best value."""
        return max(self.values.values())


@dataclass(frozen=True)
class BankTask:
    """A task of the bank.

    Attributes:
        name: its own.
        modality: of its samples.
        curves: strategy -> what it gave, in the order of the strategies' keys.
    """

    name: str
    modality: str
    curves: Mapping[Strategy, Curve]

    @property
    def best(self) -> float:
        """The best value that any strategy came to."""
        return max(curve.best for curve in self.curves.values())


def bank_tasks(records: Sequence[Record]) -> list[BankTask]:
    """The tasks in records with strategies, epochs and seconds."""
    found: dict[str, dict[Strategy, list[Record]]] = {}
    modalities = {}
    for record in records:
        if record.value is not None and record.nested_strategy is not None and record.epoch is not None:
            strategy = Strategy.read_stored(record.nested_strategy)
            found.setdefault(record.task, {}).setdefault(strategy, []).append(record)
            modalities[record.task] = record.modality
    return [
        BankTask(
            name,
            modalities[name],
            {one: _curve(rows) for one, rows in sorted(by_strategy.items(), key=lambda item: item[0].key())},
        )
        for name, by_strategy in found.items()
    ]


def _curve(rows: Sequence[Record]) -> Curve:
    return Curve(
        {one.epoch or 0: one.better or 0.0 for one in rows}, {one.epoch or 0: one.seconds or 1.0 for one in rows}
    )


@dataclass(frozen=True)
class ListedSpace(StrategySpace):
    """A space that holds a list of strategies: what a bank has curves of."""

    listed: tuple[Strategy, ...] = field(default=(), kw_only=True)

    def sample(self, rng: random.Random) -> Strategy:
        """One of the list."""
        return rng.choice(self.listed)


@dataclass(frozen=True)
class Reached:
    """When a search had come to its target.

    Attributes:
        trials: begun until then; all of them if it never came there.
        seconds: of simulated time until then; of the whole search if it never came there.
        is_there: whether it came there.
        best: the best value of the whole search.
        whole: seconds of simulated time that the whole search took.
    """

    trials: int
    seconds: float
    is_there: bool
    best: float
    whole: float


METRIC = metric_named("accuracy")
SLOTS, SHARE = 2, 0.99


class Around(Protocol):
    """Puts a rule of its own around a scheduler."""

    def __call__(
        self, inner: Scheduler, history: Callable[[], tuple[Observation, ...]], is_free: Callable[[Proposal], bool]
    ) -> Scheduler: ...


def play(task: BankTask, spec: SearcherSpec, prior: Prior | None, seed: int, around: Around | None = None) -> Reached:
    """Search a task with ASHA until every strategy has been tried; when was `SHARE` of the best reached?"""
    space = ListedSpace(listed=tuple(task.curves))
    searcher = build_searcher(spec, space, METRIC, seed)
    if prior is not None and isinstance(searcher, LearnsFromTasks):
        searcher = searcher.informed(prior)
    epochs = max(curve.epochs for curve in task.curves.values())
    phase = Phase(0, Asha(grace_epochs=1), spec, len(task.curves), epochs, False, False, False)
    watcher = _Watcher(task, SHARE * task.best)
    drawn = _Drawn(searcher, getattr(spec, "free", 1.0))
    proposer = _Bank(SearchProposer(drawn, phase, history=lambda: conductor.history()), task)
    scheduler = build_scheduler(phase, METRIC, seed, space)
    if around is not None:
        scheduler = around(scheduler, lambda: conductor.history(), drawn.is_free)
    conductor = Conductor(scheduler, proposer, watcher, METRIC, SLOTS)
    simulate(conductor, watcher.curve, watcher.seconds)
    return watcher.reached()


class _Drawn:
    """Draws what a searcher does, and knows which draws were free of what is remembered."""

    def __init__(self, inner: Searcher, free: float) -> None:
        self._inner, self._share = inner, free
        self._free: set[Strategy] = set()

    def draw(self, index: int, history: tuple[Observation, ...]) -> Strategy | None:
        strategy = self._inner.draw(index, history)
        if strategy is not None and math.floor((index + 1) * self._share) > math.floor(index * self._share):
            self._free.add(strategy)
        return strategy

    def is_free(self, proposal: Proposal) -> bool:
        return proposal.strategy in self._free


class _Bank:
    """Proposes what a searcher does, for as many epochs as the bank knows of it."""

    def __init__(self, inner: SearchProposer, task: BankTask) -> None:
        self._inner, self._task = inner, task

    @property
    def is_exhausted(self) -> bool:
        return self._inner.is_exhausted

    def propose(self, on_duplicate: Callable[[Any], None]) -> Proposal | None:
        proposal = self._inner.propose(on_duplicate)
        if proposal is None:
            return None
        return replace(proposal, epochs=self._task.curves[proposal.strategy].epochs)


class _Watcher:
    """Plays the curves, and looks at the clock of the simulation."""

    def __init__(self, task: BankTask, target: float) -> None:
        self._task, self._target = task, target
        self._begun: list[str] = []
        self._ends: dict[str, float] = {}
        self._when: tuple[int, float] | None = None
        self._best, self._last = float("-inf"), 0.0
        self._slots: dict[str, float] = {}

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *arguments: None

    def on_started(self, proposal: Proposal) -> None:
        self._begun.append(proposal.trial)
        self._ends.setdefault(proposal.trial, self._last)

    def seconds(self, proposal: Proposal, epoch: int) -> float:
        known = self._task.curves[proposal.strategy].seconds
        return max(1e-6, known[epoch] - known.get(epoch - 1, 0.0))

    def curve(self, proposal: Proposal, epoch: int) -> Mapping[str, float]:
        self._ends[proposal.trial] += self.seconds(proposal, epoch)
        self._last = max(self._last, self._ends[proposal.trial])
        value = self._task.curves[proposal.strategy].values[epoch]
        self._best = max(self._best, value)
        if value >= self._target and self._when is None:
            self._when = (len(self._begun), self._ends[proposal.trial])
        return {"val/accuracy": value}

    def reached(self) -> Reached:
        trials, seconds = self._when or (len(self._begun), self._last)
        return Reached(trials, seconds, self._when is not None, self._best, self._last)


def told_by(
    others: Sequence[Record], task: BankTask, scores: Sequence[Scores] = (), entries: Sequence[TaskEntry] = ()
) -> Prior:
    """What a memory of other tasks, and the scores of this one, say of it.

    Args:
        others: what is remembered.
        task: the new one.
        scores: of any tasks.
        entries: what tasks are like; with that of the new one, those that are like it count for more.
    """
    own: dict[str, dict[str, float]] = {}
    for one in scores:
        if one.task == task.name:
            own.setdefault(one.score_name, {})[one.backbone] = one.value
    question = Question(
        ListedSpace(listed=tuple(task.curves)),
        lambda strategy: strategy,
        task.modality,
        "classification",
        alike(task.name, entries),
        own,
        seed=derive_seed(0, task.name),
        pool={candidate_of(one): one for one in task.curves},
    )
    foreign = [one for one in scores if one.task != task.name]
    return prior_for(HeldMemory(list(others), (), foreign), question)


def alike(task: str, entries: Sequence[TaskEntry]) -> Mapping[str, float] | None:
    """How like a task each of the described ones is; None where nothing is known of it."""
    own = next((one for one in entries if one.task == task), None)
    return None if own is None else {one.task: similarity(own, one) for one in entries}
