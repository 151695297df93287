"""May it be said that the accuracy is at least q? Asked after every label, and wrong in at most a share α of all runs.

Of n audit labels, drawn at random and never trained on, a model gets k right. For one accuracy p > q, the wealth of
whoever bets on p against q is p^k (1−p)^(n−k) / q^k (1−q)^(n−k): a martingale if the accuracy is q, and below it
one that shrinks on average. Its mean over p uniform on (q, 1) is one too, and has the closed form

    e = B(k+1, n−k+1) · (1 − I_q(k+1, n−k+1)) / ((1−q) q^k (1−q)^(n−k)).

By Ville's inequality it ever passes 1/α with probability α at most, however often one looks (Robbins, *Statistical
methods related to the law of the iterated logarithm*, 1970; Waudby-Smith & Ramdas, *Estimating means of bounded random
variables by betting*, JRSS B 2024). Repeated intervals of a fixed size are no such thing: of models exactly at the
requirement they certify one in four.
"""

import math
from dataclasses import dataclass

from scipy.special import betaincc, betaln

_STEPS = 50
MOST_EXPECTED = 100_000


def log_e_value(right: int, total: int, required: float) -> float:
    """log e, for k = `right` of n = `total` and q = `required`."""
    wrong = total - right
    tail = float(betaincc(right + 1, wrong + 1, required))
    if tail <= 0.0:
        return -math.inf
    null = right * math.log(required) + wrong * math.log1p(-required)
    return float(betaln(right + 1, wrong + 1)) + math.log(tail) - math.log1p(-required) - null


def lower_bound(right: int, total: int, alpha: float) -> float:
    """The largest q that is certified: the accuracy is below it, ever, with probability `alpha` at most."""
    if not right:
        return 0.0
    low, high = 0.0, min(right / total, 1.0 - 1e-12)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if log_e_value(right, total, middle) >= -math.log(alpha) else (low, middle)
    return low


def interval(right: int, total: int, alpha: float) -> tuple[float, float]:
    """What the accuracy lies between; either side is wrong, ever, with probability `alpha` at most."""
    if not total:
        return 0.0, 1.0
    return lower_bound(right, total, alpha), 1.0 - lower_bound(total - right, total, alpha)


@dataclass(frozen=True)
class AccuracyTest:
    """Whether one model meets a requirement.

    Attributes:
        required: q.
        alpha: how often it may be said wrongly of this model.
    """

    required: float
    alpha: float

    def holds(self, right: int, total: int) -> bool:
        """Whether it is shown."""
        return total > 0 and log_e_value(right, total, self.required) >= -math.log(self.alpha)

    def expected(self, right: int, total: int) -> int | None:
        """More audit labels until it is shown, if the accuracy is what it seems, which takes some 1/(p−q)² of them;
        None if that is not above the requirement, or so near that nobody would wait for it."""
        rate = (right + 1) / (total + 2)
        if rate <= self.required:
            return None

        def is_enough(more: int) -> bool:
            return self.holds(right + round(rate * more), total + more)

        most = 1
        while not is_enough(most):
            most *= 2
            if most > MOST_EXPECTED:
                return None
        low = most // 2
        while most - low > 1:
            middle = (low + most) // 2
            low, most = (low, middle) if is_enough(middle) else (middle, most)
        return 0 if self.holds(right, total) else most
