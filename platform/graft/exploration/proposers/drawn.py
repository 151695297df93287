"""Samples drawn at random."""

import numpy as np

from graft.exploration.proposers.protocol import View
from graft.spec.meta.proposers import RandomProposer


def drawn(view: View, count: int, rng: np.random.Generator) -> np.ndarray:
    """Free samples, each as likely as any other."""
    return rng.permutation(view.free)[:count]


class Drawn:
    """The yardstick of the others."""

    def __init__(self, spec: RandomProposer) -> None:
        self.spec = spec

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        """At random."""
        return drawn(view, count, rng)
