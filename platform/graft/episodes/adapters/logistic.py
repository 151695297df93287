"""Logistic regression on the support."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from graft.episodes.adapters.protocol import ClosedForm, Head, one_hot
from graft.transfer.closed_form.lbfgs import Ending, minimise

_ENDING = Ending(rounds=50, gradient=1e-4)


class LogisticRegression(ClosedForm):
    """min over W, b of Σᵢ −log softmax(W xᵢ + b)[yᵢ] + ‖W‖² / 2C, by L-BFGS; the bias is free.

    The baseline of Chen, Liu, Kira, Wang & Huang (*A closer look at few-shot classification*, ICLR 2019), solved rather
    than trained. It judges starts that others have meta-learned: no meta-loss has a gradient through it.

    Args:
        strength: C, for vectors of length 1.
    """

    is_learned_through: ClassVar[bool] = False

    def __init__(self, strength: float = 10.0) -> None:
        super().__init__()
        self.strength = strength

    @torch.no_grad()
    def head(self, vectors: Tensor, labels: Tensor, ways: int, pool: Tensor | None = None) -> Head:
        """Minimise; the solution lies in the span of the centred support, so W = A (X − x̄) with A [ways, S]."""
        mean = vectors.mean(dim=0)
        basis, scales, _ = torch.linalg.svd((vectors - mean).T, full_matrices=False)
        kept = scales > 1e-6 * scales.max().clamp_min(1e-12)
        basis = basis[:, kept]
        known, wanted = (vectors - mean) @ basis, one_hot(labels, ways)

        def objective(weights: Tensor) -> tuple[float, Tensor]:
            logits = known @ weights[:, :-1].T + weights[:, -1]
            slopes = (logits.softmax(dim=1) - wanted).T
            gradient = torch.cat([slopes @ known + weights[:, :-1] / self.strength, slopes.sum(1, keepdim=True)], dim=1)
            penalty = weights[:, :-1].double().square().sum() / (2 * self.strength)
            return float(functional.cross_entropy(logits.double(), labels, reduction="sum") + penalty), gradient

        found = minimise(objective, torch.zeros(ways, known.shape[1] + 1), _ENDING)
        weights = found[:, :-1] @ basis.T
        bias = found[:, -1] - weights @ mean
        return lambda queries: queries @ weights.T + bias
