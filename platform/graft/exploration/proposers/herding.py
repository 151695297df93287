"""Samples that stand for many others which are in doubt."""

import numpy as np

from graft.exploration.proposers.doubtful import margins
from graft.exploration.proposers.protocol import View, nearness
from graft.spec.meta.proposers import HerdingProposer

# Of so many free samples, drawn at random, some are chosen, and these are what they are to stand for.
_COMPARED = 2000
_AT_ONCE = 256


class Herding:
    """Greedy coverage of what is in doubt (Bae, Oliveira & Sutherland, *Uncertainty herding*, ICLR 2025).

    A sample is covered by the nearest that has a label, or gets one, as far as exp(−‖x − x'‖² / σ²) says. Next is
    whoever adds most to the sum over all samples, each with the weight 1 − margin: as long as there is no model all
    count alike, and the first are those that stand for most. The width σ is the spec's.
    """

    def __init__(self, spec: HerdingProposer) -> None:
        self.spec = spec

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        """Those that cover most, one after another."""
        own = np.sort(rng.permutation(len(view.free))[:_COMPARED])
        doubt = np.ones(len(own)) if view.probabilities is None else 1.0 - margins(view.probabilities[own])
        some, weights = view.vectors[view.free[own]], doubt.astype(np.float32)
        covered = np.zeros(len(own), np.float32)
        for start in range(0, len(view.labelled), _AT_ONCE):
            known = view.vectors[view.labelled[start : start + _AT_ONCE]]
            covered = np.maximum(covered, self._alike(some, known).max(axis=1))
        alike, chosen = self._alike(some, some), list[int]()
        for _ in range(min(count, len(own))):
            gain = np.maximum(alike - covered, 0.0) @ weights
            gain[chosen] = -1.0
            chosen.append(int(gain.argmax()))
            covered = np.maximum(covered, alike[chosen[-1]])
        found: np.ndarray = view.free[own[chosen]]
        return found

    def _alike(self, some: np.ndarray, others: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.exp(-nearness(some, others) / self.spec.width**2).astype(np.float32)
        return found
