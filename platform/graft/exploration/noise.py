"""How often labels are wrong, told from those that were asked twice."""

import math
from dataclasses import dataclass

from scipy.stats import beta


@dataclass(frozen=True)
class LabelNoise:
    """What answers to the same questions say.

    Attributes:
        pairs: samples that were asked twice.
        differing: of them, those with two different answers.
        rate: share of all labels that is wrong; None if nothing was asked twice.
        low: of its 95 % interval.
        high: of its 95 % interval.
    """

    pairs: int = 0
    differing: int = 0
    rate: float | None = None
    low: float = 0.0
    high: float = 1.0

    @property
    def is_seen(self) -> bool:
        """Whether there is any."""
        return self.differing > 0


def label_noise(pairs: int, differing: int, classes: int) -> LabelNoise:
    """From D, the share of pairs that differ: D = 1 − (1−ε)² − ε²/(K−1), if each answer is wrong with probability ε by
    itself and any wrong class is as likely as another; solved for ε, the interval being that of Clopper and Pearson."""
    if not pairs:
        return LabelNoise()
    low = float(beta.ppf(0.025, differing, pairs - differing + 1)) if differing else 0.0
    high = float(beta.ppf(0.975, differing + 1, pairs - differing)) if differing < pairs else 1.0
    rate, least, most = (_rate(share, max(classes, 2)) for share in (differing / pairs, low, high))
    return LabelNoise(pairs, differing, rate, least, most)


def _rate(differing: float, classes: int) -> float:
    curve = 1.0 + 1.0 / (classes - 1)
    return (1.0 - math.sqrt(max(1.0 - curve * differing, 0.0))) / curve
