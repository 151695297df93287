"""What candidates cost, measured by what others of their task cost: no machine and no data set is like another."""

import math
from collections.abc import Sequence

import numpy as np

from graft.meta.recommend.kernel import Fields, Floats
from graft.meta.recommend.outcomes import Candidate, TaskOutcomes

# Of the kernel; and how much a candidate that is like no other is taken to cost as much as the usual one.
_LENGTH, _USUAL = 0.5, 0.05
# Candidates that are looked at, of the tasks in their order.
MOST = 1000
# Sooner or later than this no estimate is believed.
_LEAST, _MOST = 0.2, 5.0


def relative_seconds(outcomes: Sequence[TaskOutcomes], pool: Sequence[Candidate]) -> Floats | None:
    """How many times as long as usual the training of each candidate takes, [P]; None where no record tells seconds.

    log(seconds) less its mean over the task, averaged over all outcomes by how alike the candidates are.
    """
    known: dict[Candidate, list[float]] = {}
    for task in outcomes:
        logs = {at: math.log(one.seconds) for at, one in task.outcomes.items() if one.seconds is not None}
        if len(logs) > 1:
            mean = sum(logs.values()) / len(logs)
            for at, value in logs.items():
                known.setdefault(at, []).append(value - mean)
    if not known:
        return None
    known = dict(list(known.items())[:MOST])
    candidates = tuple(dict.fromkeys((*pool, *known)))
    weights = Fields(candidates).kernel(list(pool), list(known), _LENGTH)
    weights = weights * np.array([len(values) for values in known.values()])
    means = np.array([sum(values) / len(values) for values in known.values()])
    logs_of_pool = (weights @ means) / (weights.sum(axis=1) + _USUAL)
    return np.asarray(np.clip(np.exp(logs_of_pool - np.median(logs_of_pool)), _LEAST, _MOST))
