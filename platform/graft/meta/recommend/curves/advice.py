"""From a memory to the learning curves that the trials of one job are expected to have."""

import math
from collections.abc import Callable
from typing import Any

from graft.meta.memory.records import Memory
from graft.meta.recommend.advice import Question, nearest_records
from graft.meta.recommend.curves.forecast import Forecaster, past_curves
from graft.meta.recommend.outcomes import outcomes_of
from graft.meta.recommend.pool import candidate_of
from graft.meta.task_embedding.similarity import UNVECTORED
from graft.spec.metrics import MetricSpec
from graft.spec.strategy import Strategy

_PLACES = 6

CurveOf = Callable[[Strategy], dict[str, Any] | None]
"""Of a strategy as it is drawn: ``metric``, ``epochs``, and at each of them ``expected``, ``low`` and ``high``, between
which the value lies with 80 %; None where no past curve tells."""


def curves_for(
    memory: Memory, question: Question, metric: MetricSpec, epochs: int, largest: float = math.inf
) -> CurveOf:
    """What the curves of a job are expected to be, before anything is trained.

    Args:
        memory: whose curves of this metric are looked at.
        question: what is compared with this task, and how alike it is.
        metric: of the search.
        epochs: of a training that is not done at once.
        largest: value of the metric that the targets of this task leave room for.
    """
    outcomes = list(outcomes_of(nearest_records(memory, question)).values())
    known = question.similarity
    teller = Forecaster(
        past_curves(outcomes, metric.name), lambda task: UNVECTORED if known is None else known.get(task, 0.0), metric
    )

    def curve(strategy: Strategy) -> dict[str, Any] | None:
        trained = question.canonical(strategy)
        planned = 1 if trained.head.is_solved else epochs
        if not teller.knows(planned):
            return None
        found = teller.forecast(candidate_of(trained), planned, {})
        bands = {"expected": found.expected, "low": found.low, "high": found.high}
        told = {name: [round(min(float(one), largest), _PLACES) for one in values] for name, values in bands.items()}
        return {"metric": metric.name, "epochs": list(found.epochs), **told}

    return curve
