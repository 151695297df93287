"""What earlier tasks say of a job: the memory is asked once, before the first draw of a phase."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeAlias

from graft.core.errors import GraftError
from graft.core.seeds import derive_seed
from graft.core.storage import Home
from graft.journal.events import RecommendationsMade
from graft.meta.memory.records import HeldMemory, Memory, TaskEntry
from graft.meta.memory.store import MemoryStore
from graft.meta.memory.trust import Reader
from graft.meta.recommend.advice import Question, prior_for
from graft.meta.recommend.curves.advice import curves_for
from graft.meta.recommend.head_order import First
from graft.meta.recommend.outcomes import Candidate
from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.prior import NO_PRIOR, Expected, Prior
from graft.meta.task_embedding.similarity import similarity
from graft.models.load import canonical
from graft.search.protocol import LearnsFromTasks
from graft.search.searchers.build import build_searcher
from graft.search.searchers.random import RandomSearch
from graft.spec.job import Job
from graft.spec.messages.counting import counted
from graft.spec.search.searchers import MetaSearcher
from graft.spec.strategy import Strategy
from graft.tracking.provenance import versions_here

SHIPPED = "what graft ships for data of this kind and size (docs/defaults.md)"
DRAWN = "drawn at random: nothing is known of tasks like this one"
# Draws for each strategy that is asked for: a small space has its strategies several times among them.
_LOOKED_AT = 20
_LOG = logging.getLogger(__name__)


ScoresByName: TypeAlias = Mapping[str, Mapping[str, float]]
"""Name of a score, with ``@`` and the depth where it is not the whole one -> backbone -> its value."""


@dataclass(frozen=True)
class Samples:
    """What the samples of a job can tell, each at a cost of seconds.

    Attributes:
        entry: what the task is like; asked only if there is a memory to compare it with.
        scores: of the backbones, given those that the memory has of this very task.
        first: what is tried before anything is drawn.
    """

    entry: Callable[[], TaskEntry]
    scores: Callable[[ScoresByName], ScoresByName] = lambda known: known
    first: First = field(default_factory=First)


def recommend(
    job: Job, home: Home, phase: int, now: float, samples: Samples | None = None
) -> RecommendationsMade | None:
    """What the searcher of a phase is to be told; None if it learns from no tasks, or there is nothing to tell.

    Args:
        job: resolved.
        home: whose memory is asked.
        phase: index of the phase.
        now: seconds since the epoch: records age.
        samples: of the job; None where nothing is known of them.

    A memory that cannot be read costs the search its recommendations, not its run; that is told.
    """
    if not asks_the_memory(job, phase):
        return None
    seed = derive_seed(job.search.seed, phase)
    try:
        memory = memory_of(home, now)
        entry = samples.entry() if samples and memory.records() else None
        scores = _remembered_scores(memory, entry)
        scores = samples.scores(scores) if samples else scores
        if not memory.records() and not scores:
            return None
        question = replace(question_of(job, seed, memory, entry), scores=scores)
        if samples and phase == 0:
            question = replace(question, first=samples.first)
        prior = prior_for(memory, question)
    except GraftError as error:
        _LOG.warning("the task memory cannot be used: %s", error)
        told = f"the task memory cannot be used, so all is drawn: {error}"
        return RecommendationsMade(phase, NO_PRIOR.to_dict(), told)
    return RecommendationsMade(phase, prior.to_dict(), in_words(prior))


def asks_the_memory(job: Job, phase: int) -> bool:
    """Whether the trials of a phase are drawn by a searcher that learns from tasks."""
    spec = job.phases[phase]
    if spec.from_top or spec.is_population_based:
        return False
    searcher = build_searcher(spec.searcher, job.space, job.objective, derive_seed(job.search.seed, phase))
    return isinstance(searcher, LearnsFromTasks)


def memory_of(home: Home, now: float, place: str | None = None) -> Memory:
    """The memory of a home, weighed for this graft; an empty one where it is switched off. What is left out is told.

    Raises:
        ResourceError: its place does not answer.
    """
    store = MemoryStore.find(home, place)
    if store is None:
        return HeldMemory()
    contents = store.contents()
    for one in contents.damaged:
        _LOG.warning("task memory %s: %s", store.place, one)
    return contents.memory(Reader(now, versions_here()))


def question_of(job: Job, seed: int, memory: Memory, entry: TaskEntry | None = None) -> Question:
    """What is asked of the memory.

    Args:
        job: resolved.
        seed: of what is drawn.
        memory: whose tasks are compared with this one, and which may have scores of it.
        entry: what the task is like; None where nothing is known of its data.
    """
    return Question(
        job.space,
        canonical,
        job.data.modality,
        job.decided_task.kind,
        _alike(entry, memory) if entry else None,
        _remembered_scores(memory, entry),
        derive_seed(seed, "recommend"),
    )


def _remembered_scores(memory: Memory, entry: TaskEntry | None) -> ScoresByName:
    """Those that the memory has of this very task."""
    scores: dict[str, dict[str, float]] = {}
    for one in memory.scores() if entry else ():
        if entry and one.task == entry.task:
            scores.setdefault(one.score_name, {})[one.backbone] = one.value
    return scores


def _alike(entry: TaskEntry, memory: Memory) -> Mapping[str, float] | None:
    """How like the task each remembered one is of which anything is known; None if that is none."""
    described = [one for one in memory.tasks() if one.meta_features or one.embedding]
    return {one.task: similarity(entry, one) for one in described} or None


def recommendations(
    job: Job, memory: Memory, count: int, entry: TaskEntry | None = None, largest: float = math.inf
) -> dict[str, Any]:
    """The first strategies of a job that are worth a trial, as plain values.

    ``metric`` of the search; ``recommendations``: each ``strategy``, ``label``, ``below_best`` (0 is the best, 1 as
    far below it as the median; None where nothing is known), ``deviation``, ``cost`` (of the usual one), ``reason``,
    ``curve`` (`CurveOf`); ``basis``, ``tasks``, ``confidence``, and ``told``, all of it in a line.

    Args:
        job: resolved.
        memory: what is remembered.
        count: how many at most.
        entry: what the task is like; None where nothing is known of its data.
        largest: value of the metric that the targets leave room for.
    """
    question = question_of(job, derive_seed(job.search.seed, 0), memory, entry)
    prior = prior_for(memory, question)
    fields = job.reach.varied()
    curve = curves_for(memory, question, job.objective, job.phases[0].epochs, largest)
    if prior.is_empty:
        shipped = [(one, SHIPPED) for one in job.first[:count]]
        begun = [*shipped, *((one, DRAWN) for one in _drawn(job, count - len(shipped)))]
        rows = [{**_recommended(one, fields, None, reason), "curve": curve(one)} for one, reason in begun]
        told = f"{in_words(prior)}; what graft ships is tried first" if shipped else in_words(prior)
    else:
        told, rows = in_words(prior), []
        for place in prior.portfolio[:count]:
            expected = prior.expected[place]
            strategy = Strategy.model_validate_json(expected.strategy_json)
            rows.append({**_recommended(strategy, fields, expected, expected.reason), "curve": curve(strategy)})
    about = {"basis": str(prior.basis), "tasks": prior.tasks, "confidence": round(prior.confidence, 3), "told": told}
    return {"job": job.name, "metric": job.objective.name, "recommendations": rows, **about}


def _drawn(job: Job, count: int) -> list[Strategy]:
    """What a search that is told nothing draws first; fewer where its space has no more."""
    search = RandomSearch(MetaSearcher(), job.space, job.objective, derive_seed(job.search.seed, 0))
    draws = [search.draw(index, ()) for index in range(_LOOKED_AT * count)]
    distinct: dict[Candidate, Strategy] = {}
    for one in draws:
        distinct.setdefault(candidate_of(canonical(one)), one)
    return list(islice(distinct.values(), count))


def _recommended(strategy: Strategy, fields: Sequence[str], expected: Expected | None, reason: str) -> dict[str, Any]:
    return {
        "strategy": strategy.model_dump(mode="json"),
        "label": strategy.label(fields),
        "below_best": None if expected is None else round(max(0.0, -expected.mean), 4),
        "deviation": None if expected is None else round(expected.deviation, 4),
        "cost": 1.0 if expected is None else round(expected.cost, 4),
        "reason": reason,
    }


def in_words(prior: Prior) -> str:
    """What is told, in a line."""
    if prior.is_empty:
        return "nothing is known of tasks like this one, so all is drawn"
    tasks = counted(prior.tasks, "earlier task") if prior.tasks else "the scores of their backbones"
    reasons = [prior.expected[place].reason for place in prior.portfolio[:1]]
    number = len(prior.portfolio)
    first = f"{'1 strategy is' if number == 1 else f'{number} strategies are'} tried first, by {tasks}"
    return ": ".join([first, *filter(None, reasons)])


def reasons_of(prior: Prior) -> Callable[[Strategy], str]:
    """Why a strategy, in the form that trials have it, is recommended; empty if it is not."""
    told = {}
    for expected in () if prior.is_empty else (*prior.heads, *(prior.expected[place] for place in prior.portfolio)):
        strategy = Strategy.model_validate_json(expected.strategy_json)
        told[candidate_of(canonical(strategy)).strategy_json] = expected.reason
    return lambda strategy: told.get(candidate_of(strategy).strategy_json, "") if told else ""
