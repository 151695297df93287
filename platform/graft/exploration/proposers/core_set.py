"""Samples far from all that have a label."""

import numpy as np

from graft.exploration.proposers.protocol import View, nearness
from graft.spec.meta.proposers import CoreSetProposer

_AT_ONCE = 256


class CoreSet:
    """k-centre, greedily: next is whoever is farthest from what is chosen (Sener & Savarese, *Active learning for
    convolutional neural networks: a core-set approach*, ICLR 2018, algorithm 1)."""

    def __init__(self, spec: CoreSetProposer) -> None:
        self.spec = spec

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        """The farthest, one after another; the first of all is drawn."""
        own, chosen = view.vectors[view.free], list[int]()
        if not len(own):
            return view.free
        gap = np.full(len(own), np.inf)
        for start in range(0, len(view.labelled), _AT_ONCE):
            known = view.vectors[view.labelled[start : start + _AT_ONCE]]
            gap = np.minimum(gap, nearness(own, known).min(axis=1))
        for _ in range(min(count, len(own))):
            best = int(gap.argmax()) if np.isfinite(gap.max()) else int(rng.integers(len(own)))
            chosen.append(best)
            gap = np.minimum(gap, nearness(own, own[best : best + 1])[:, 0])
            gap[chosen] = -1.0
        found: np.ndarray = view.free[chosen]
        return found
