"""From a memory to what a search of one job is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from graft.meta.memory.records import Memory, Record, Scores
from graft.meta.recommend.costs import relative_seconds
from graft.meta.recommend.head_order import First, order_of_heads
from graft.meta.recommend.outcomes import Candidate, TaskOutcomes, outcomes_of
from graft.meta.recommend.pool import Canonical, Pool, candidate_of, pool_of, read_strategy
from graft.meta.recommend.portfolio import greedy, outcomes_drawn
from graft.meta.recommend.prior import NO_PRIOR, Basis, Expected, Prior
from graft.meta.recommend.reasons import Reasons
from graft.meta.recommend.recommender import Forecast, Recommender
from graft.meta.recommend.table import Similarity, score_table, unknown_similarity
from graft.spec.space.space import StrategySpace

THIS_TASK = "this task"
"""What the new task is called among the others: the memory may know its data already, from earlier jobs."""
FIRST = 10
MOST_TASKS = 100
_UNLIKE, _ALIKE = 0.05, 0.5
_FEWEST_CONFIDENT = 3
# How far tasks are believed of whose data nothing is known, where that of others is.
_UNDESCRIBED = 0.7


@dataclass(frozen=True)
class Question:
    """What is to be recommended for.

    Attributes:
        space: what may be tried.
        canonical: of a strategy, with the depth of its backbone.
        modality: of the samples.
        task_kind: what is asked of them.
        similarity: of each task of the memory to this one, in [0, 1]; None where nothing is known of the data.
        scores: name of the score -> backbone -> its value on this task, larger is better.
        seed: of what is drawn.
        pool: what may be tried, where it is known; None takes it from the space.
        first: what is tried anyway; the heads in it are put in order.
    """

    space: StrategySpace
    canonical: Canonical
    modality: str
    task_kind: str
    similarity: Mapping[str, float] | None = None
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seed: int = 0
    pool: Pool | None = None
    first: First = field(default_factory=First)

    def concerns(self, record: Record) -> bool:
        """Whether a record is of samples of this kind, and of this question as far as it says so."""
        return record.modality == self.modality and record.task_kind in ("", self.task_kind)


def prior_for(memory: Memory, question: Question) -> Prior:
    """What the memory, and the scores, have to say; `NO_PRIOR` if it is nothing."""
    outcomes = list(outcomes_of(nearest_records(memory, question)).values())
    outcomes = [one for one in outcomes if len(one.values) > 1]
    if not outcomes and not question.scores:
        return NO_PRIOR
    likeness = _likeness(question)
    outcomes.sort(key=lambda one: (-likeness(THIS_TASK, one.task), one.task))
    strategies = question.pool or pool_of(question.space, outcomes, question.canonical, question.seed)
    pool = list(strategies)
    scores = {**score_table(memory.scores()), **_own_scores(question)}
    recommender = Recommender(outcomes, scores, likeness, question.seed)
    forecast = recommender.forecast(THIS_TASK, pool, first=FIRST)
    if forecast.is_empty:
        return NO_PRIOR
    costs = relative_seconds(outcomes, pool)
    portfolio = _portfolio(forecast, costs, question.seed)
    titles = {entry.task: entry.title for entry in memory.tasks()}
    varied = question.space.varied()
    reasons = Reasons(THIS_TASK, outcomes, question.scores, likeness, titles, varied)
    told = {place: reasons.of(pool[place], pool) for place in portfolio}
    expected = tuple(
        Expected(
            candidate_of(strategy).strategy_json,
            round(float(forecast.posterior.mean[place]), 6),
            round(float(forecast.posterior.deviation[place]), 6),
            1.0 if costs is None else round(float(costs[place]), 6),
            told.get(place, ""),
        )
        for place, strategy in enumerate(strategies.values())
    )
    confidence = _confidence(forecast, outcomes, question)
    heads = _heads(recommender, question, confidence, reasons)
    return Prior(expected, tuple(portfolio), forecast.basis, forecast.tasks, confidence, heads)


def _heads(recommender: Recommender, question: Question, confidence: float, reasons: Reasons) -> tuple[Expected, ...]:
    """What is expected of the heads that come first, in the order in which to solve them."""
    first = question.first
    solved = [one for one, work in zip(first.strategies, first.works, strict=True) if work is not None]
    if len(solved) < 2 or confidence <= 0:
        return ()
    pool = [candidate_of(question.canonical(one)) for one in solved]
    posterior = recommender.forecast(THIS_TASK, pool, first=0).posterior
    believed = replace(posterior, mean=confidence * posterior.mean)
    draws, weights = outcomes_drawn(believed, np.zeros((0, len(pool))), question.seed)
    return tuple(
        Expected(
            candidate_of(solved[at]).strategy_json,
            round(float(posterior.mean[at]), 6),
            round(float(posterior.deviation[at]), 6),
            reason=reasons.of(pool[at], pool),
        )
        for at in order_of_heads(first.works, draws, weights, first.slots)
    )


def nearest_records(memory: Memory, question: Question) -> list[Record]:
    """The records that concern the question; of many tasks those that are most alike, of equal ones the newest."""
    records = [record for record in memory.records() if question.concerns(record)]
    tasks = list(dict.fromkeys(record.task for record in records))
    if len(tasks) <= MOST_TASKS:
        return records
    known = question.similarity or {}
    kept = set(sorted(reversed(tasks), key=lambda task: -known.get(task, 0.0))[:MOST_TASKS])
    return [record for record in records if record.task in kept]


def _portfolio(forecast: Forecast, costs: "np.ndarray | None", seed: int) -> list[int]:
    """The first ones, each by what it adds for what it costs: complementary, and cheap ones of equal worth first."""
    if costs is None:
        return list(forecast.order[:FIRST])
    draws, weights = outcomes_drawn(forecast.posterior, np.zeros((0, len(forecast.pool))), seed)
    return greedy(draws, weights, FIRST, costs=costs)


def _likeness(question: Question) -> Similarity:
    if question.similarity is None:
        return unknown_similarity
    known = question.similarity

    def similarity(one: str, other: str) -> float:
        if one == other:
            return 1.0
        if THIS_TASK in (one, other):
            return known.get(other if one == THIS_TASK else one, 0.0)
        # Two tasks that are both like this one are like each other at least as far as the triangle says.
        return max(0.0, known.get(one, 0.0) + known.get(other, 0.0) - 1.0)

    return similarity


def _own_scores(question: Question) -> dict[str, dict[str, dict[str, float]]]:
    return score_table(
        Scores(THIS_TASK, backbone, name, value)
        for name, values in question.scores.items()
        for backbone, value in values.items()
    )


def _confidence(forecast: Forecast, outcomes: Sequence[TaskOutcomes], question: Question) -> float:
    """None for a memory of unlike tasks; half for one or two tasks; else all of it."""
    few = 1.0 if len(outcomes) >= _FEWEST_CONFIDENT or forecast.basis == Basis.SCREENING else 0.7
    if question.similarity is None or forecast.basis == Basis.SCREENING:
        return few
    known = [question.similarity[one.task] for one in outcomes if one.task in question.similarity]
    if not known:
        return few * _UNDESCRIBED
    nearest = max(known)
    return few * float(np.clip((nearest - _UNLIKE) / (_ALIKE - _UNLIKE), 0.0, 1.0))


def recommended_strategies(prior: Prior, count: int) -> list[tuple[Candidate, Expected]]:
    """The first so many of the portfolio that this version of graft can read."""
    found = []
    for place in prior.portfolio[:count]:
        expected = prior.expected[place]
        strategy = read_strategy(Candidate("", expected.strategy_json))
        if strategy is not None:
            found.append((Candidate(strategy.backbone, expected.strategy_json), expected))
    return found
