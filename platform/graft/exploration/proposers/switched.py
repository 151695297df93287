"""Coverage first, doubt later."""

import numpy as np

from graft.exploration.proposers.doubtful import least_sure, margins
from graft.exploration.proposers.protocol import View
from graft.exploration.proposers.typical import typical
from graft.spec.meta.proposers import TypicalThenMargin


class TypicalFirst:
    """Typical samples until there are a few labels a class, then the smallest margins.

    A model of few labels doubts what is odd rather than what is instructive; the same that is wrong with margin at the
    start is wrong with coverage later (Hacohen, Dekel & Weinshall, ICML 2022, on low and high budgets).
    """

    def __init__(self, spec: TypicalThenMargin) -> None:
        self.spec = spec

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        """By coverage, then by margin."""
        is_covering = len(view.labelled) < self.spec.labels_a_class * max(view.classes, 2)
        if view.probabilities is None or is_covering:
            return typical(view, count, self.spec.neighbours, rng)
        return least_sure(view, margins(view.probabilities), count)
