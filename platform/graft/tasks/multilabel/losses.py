"""What is minimised with several labels, apart from penalties.

Each is built as ``(spec, training, facts, device)``, as the losses of all tasks are. Every loss is a mean over samples
and labels: the mean over a batch is the mean of its parts weighted by their sizes.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graft.spec.tasks.multilabel import AsymmetricLoss, BinaryCrossEntropy
from graft.tasks.protocol import Facts, LossFunction
from graft.tasks.weighting import weighted_mean


def binary_cross_entropy(
    spec: BinaryCrossEntropy, training: np.ndarray, facts: Facts, device: torch.device | str
) -> LossFunction:
    """Mean binary cross-entropy: logits [B, L] of any float type and labels [B, L] to a float32 scalar."""

    def loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        if weights is None:
            return functional.binary_cross_entropy_with_logits(logits.float(), labels.float())
        each = functional.binary_cross_entropy_with_logits(logits.float(), labels.float(), reduction="none")
        return weighted_mean(each, weights)

    return loss


def asymmetric(spec: AsymmetricLoss, training: np.ndarray, facts: Facts, device: torch.device | str) -> LossFunction:
    """Mean asymmetric loss: logits [B, L] of any float type and labels [B, L] to a float32 scalar."""
    return lambda logits, labels, weights=None: weighted_mean(
        _asymmetric(logits.float(), labels.float(), spec), weights
    )


def _asymmetric(logits: Tensor, labels: Tensor, spec: AsymmetricLoss) -> Tensor:
    smallest = torch.finfo(logits.dtype).tiny  # at 0 a power below 1 has no finite slope
    missing = torch.sigmoid(-logits).clamp_min(smallest)
    positive = missing**spec.gamma_positive * functional.logsigmoid(logits)
    shifted = (torch.sigmoid(logits) - spec.margin).clamp_min(smallest)
    # without a margin p may round to 1, whose logarithm of what is missing is not finite
    log_rest = functional.logsigmoid(-logits) if spec.margin == 0 else torch.log1p(-shifted)
    negative = shifted**spec.gamma_negative * log_rest
    return -(labels * positive + (1 - labels) * negative)
