"""Samples in doubt that differ from one another."""

import numpy as np

from graft.exploration.proposers.drawn import drawn
from graft.exploration.proposers.protocol import View
from graft.spec.meta.proposers import BadgeProposer


class Badge:
    """k-means++ among the gradients that samples would give the last layer, were the likeliest class the right one
    (Ash, Zhang, Krishnamurthy, Langford & Agarwal, ICLR 2020, algorithm 1).

    The gradient of sample x is g ⊗ x with g = p − onehot(argmax p), so ‖a − b‖² = |gₐ|²|xₐ|² + |g_b|²|x_b|² −
    2 (gₐ·g_b)(xₐ·x_b): the outer product is never built.
    """

    def __init__(self, spec: BadgeProposer) -> None:
        self.spec = spec

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        """Seeds of k-means++; the first is the longest gradient."""
        if view.probabilities is None or not len(view.free):
            return drawn(view, count, rng)
        x, g = view.vectors[view.free], view.probabilities.copy()
        g[np.arange(len(g)), g.argmax(axis=1)] -= 1.0
        length = (g**2).sum(axis=1) * (x**2).sum(axis=1)
        chosen = [int(length.argmax())]
        gap = self._gap(g, x, length, chosen[0])
        while len(chosen) < min(count, len(x)):
            gap[chosen] = 0.0
            total = gap.sum()
            rest = np.setdiff1d(np.arange(len(x)), chosen)
            chosen.append(int(rng.choice(len(x), p=gap / total)) if total > 0 else int(rng.choice(rest)))
            gap = np.minimum(gap, self._gap(g, x, length, chosen[-1]))
        found: np.ndarray = view.free[chosen]
        return found

    @staticmethod
    def _gap(g: np.ndarray, x: np.ndarray, length: np.ndarray, one: int) -> np.ndarray:
        between = length + length[one] - 2.0 * (g @ g[one]) * (x @ x[one])
        found: np.ndarray = np.maximum(between, 0.0).astype(np.float64)
        return found
