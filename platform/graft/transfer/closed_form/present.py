"""Outputs of which the training rows hold no example, or nothing else: nothing can be learnt of them but how rare they
are."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graft.transfer.closed_form.problem import LinearTargets


@dataclass(frozen=True)
class Present:
    """The outputs that can be learnt.

    Attributes:
        kept: which, int64 [K'].
        targets: of them alone.
        total: all outputs K.
        rates: share of the rows that have each of the K outputs, one half of a row being added, float64 [K].
    """

    kept: np.ndarray
    targets: LinearTargets
    total: int
    rates: np.ndarray

    @classmethod
    def of(cls, targets: LinearTargets) -> "Present":
        rows, values = len(targets.values), targets.values
        if targets.link == "softmax":
            counts = np.bincount(values, minlength=targets.outputs).astype(np.float64)
            kept = np.flatnonzero(counts)
            place = np.zeros(targets.outputs, np.int64)
            place[kept] = np.arange(len(kept))
            own = LinearTargets("softmax", place[values], len(kept), targets.strata)
            return cls(kept, own, targets.outputs, (counts + 0.5) / (rows + 1))
        if targets.link == "identity":
            return cls(np.arange(targets.outputs), targets, targets.outputs, np.ones(targets.outputs))
        counts = values.sum(axis=0, dtype=np.float64)
        kept = np.flatnonzero((counts > 0) & (counts < rows))
        own = LinearTargets("sigmoid", values[:, kept], len(kept), targets.strata)
        return cls(kept, own, targets.outputs, (counts + 0.5) / (rows + 1))

    def filled(self, weights: Tensor, bias: Tensor, level: float = 0.0) -> tuple[Tensor, Tensor]:
        """A model of all outputs, [K, F] and [K]: those that were not learnt answer with their rate.

        Args:
            weights: of the learnt outputs, [K', F].
            bias: of the same, [K'].
            level: for a softmax, the log of the sum of the exponentials of the learnt outputs, as it is on average.
        """
        whole = torch.zeros(self.total, weights.shape[1], dtype=weights.dtype)
        rates = torch.from_numpy(self.rates)
        usual = rates.log() + level if self.targets.link == "softmax" else torch.logit(rates)
        if self.targets.link == "identity":
            usual = torch.zeros_like(rates)
        whole_bias = usual.to(bias.dtype)
        whole[self.kept], whole_bias[self.kept] = weights, bias
        return whole, whole_bias
