"""Samples that the model is in doubt about; at random as long as there is no model."""

import numpy as np

from graft.exploration.proposers.drawn import drawn
from graft.exploration.proposers.protocol import View
from graft.spec.meta.proposers import EntropyProposer, MarginProposer


def least_sure(view: View, sureness: np.ndarray, count: int) -> np.ndarray:
    """The free samples of least sureness [m]; of equals, the first."""
    found: np.ndarray = view.free[np.argsort(sureness, kind="stable")[:count]]
    return found


def margins(probabilities: np.ndarray) -> np.ndarray:
    """p of the likeliest class less p of the second, [m]."""
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities))
    best = np.partition(probabilities, -2, axis=1)[:, -2:]
    found: np.ndarray = best[:, 1] - best[:, 0]
    return found


class Margin:
    """Smallest margin first (Scheffer, Decomain & Wrobel, *Active hidden Markov models*, IDA 2001)."""

    def __init__(self, spec: MarginProposer) -> None:
        self.spec = spec

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        """By margin."""
        if view.probabilities is None:
            return drawn(view, count, rng)
        return least_sure(view, margins(view.probabilities), count)


class Entropy:
    """Largest entropy −Σ p log p first; with few labels it goes after what cannot be told at all."""

    def __init__(self, spec: EntropyProposer) -> None:
        self.spec = spec

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        """By entropy."""
        p = view.probabilities
        if p is None:
            return drawn(view, count, rng)
        return least_sure(view, (p * np.log(np.maximum(p, 1e-12))).sum(axis=1), count)
