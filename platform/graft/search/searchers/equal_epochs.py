"""Values of trials that have trained for different lengths, compared where they are of one age."""

import math
import statistics
from collections.abc import Sequence

from graft.search.protocol import Observation
from graft.spec.metrics import MetricSpec

WORST = -3.0


def losses_at_equal_epochs(history: Sequence[Observation], metric: MetricSpec) -> dict[int, float]:
    """How far below the best each trial is, by its place in the history: 0 is the best, -1 the median.

    A trial is compared at the last epoch it has reached with all that have reached it, each by its best value until
    then; heads that are solved have no age, and are compared with the best that trials have. Failed trials have
    `WORST`, those without a value are left out.

    Args:
        history: trials.
        metric: says which values are better.
    """
    sign = 1 if metric.mode == "max" else -1
    curves = {place: _curve(one, sign) for place, one in enumerate(history) if not one.failed}
    trained = {place: curve for place, curve in curves.items() if curve and not history[place].strategy.head.is_solved}
    last = max((max(curve) for curve in trained.values()), default=0)
    found = {place: WORST for place, one in enumerate(history) if one.failed}
    for place, curve in curves.items():
        if not curve:
            continue
        at = max(curve) if place in trained else last
        own = max(value for epoch, value in curve.items() if epoch <= at or place not in trained)
        peers = [own, *(_until(other, at) for key, other in trained.items() if key != place and max(other) >= at)]
        found[place] = _below(own, peers)
    return found


def _curve(one: Observation, sign: int) -> dict[int, float]:
    return {epoch: sign * value for epoch, value in one.values.items() if math.isfinite(value)}


def _until(curve: dict[int, float], epoch: int) -> float:
    return max((value for at, value in curve.items() if at <= epoch), default=-math.inf)


def _below(own: float, peers: Sequence[float]) -> float:
    best = max(peers)
    spread = best - statistics.median(peers)
    if spread <= 0:
        spread = best - min(peers)
    return 0.0 if spread <= 0 else max(WORST, (own - best) / spread)
