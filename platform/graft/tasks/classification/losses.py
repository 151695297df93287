"""What is minimised in classification, apart from penalties.

Each is built as ``(spec, training, facts, device)``, as the losses of all tasks are. Every loss is a mean over the
samples of a batch, and a sample's share in it depends on that sample alone. So the mean over a batch is the mean of its
parts weighted by their sizes, however it is split among processes or micro-batches.

Labels are codes int64 [B], or probabilities float [B, K] where samples are mixed. With those y, a loss is Σ_c y_c ℓ_c
of the losses ℓ_c that it has for each class: it is linear in y, and one class alone gives what its code gives.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graft.spec.tasks.classification import ClassBalanced, CrossEntropy, Focal
from graft.tasks.protocol import Facts, LossFunction
from graft.tasks.weighting import weighted_mean

# the log-sum-exp of bf16 logits would lose most of the digits that a small loss has, hence float() in all of them


def cross_entropy(spec: CrossEntropy, training: np.ndarray, facts: Facts, device: torch.device | str) -> LossFunction:
    """Mean cross-entropy: logits [B, K] of any float type and labels [B] (int64) to a float32 scalar."""
    smoothing = spec.label_smoothing

    def loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        if weights is None:
            return functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        each = functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing, reduction="none")
        return weighted_mean(each, weights)

    return loss


def focal(spec: Focal, training: np.ndarray, facts: Facts, device: torch.device | str) -> LossFunction:
    """Mean focal loss: logits [B, K] of any float type and labels [B] (int64) to a float32 scalar."""
    return lambda logits, labels, weights=None: weighted_mean(_focal(logits.float(), labels, spec.gamma), weights)


def class_balanced(spec: ClassBalanced, training: np.ndarray, facts: Facts, device: torch.device | str) -> LossFunction:
    """Mean weighted cross-entropy: logits [B, K] of any float type and labels [B] (int64) to a float32 scalar.

    Args:
        spec: β.
        training: labels of the training rows, [N]; their counts give the weights.
        facts: ``num_outputs`` is K.
        device: where the logits will be.
    """
    counts = np.bincount(training, minlength=facts["num_outputs"]).tolist()
    of_class = torch.tensor(class_weights(counts, spec.beta), dtype=torch.float32, device=device)
    return lambda logits, labels, weights=None: weighted_mean(_weighted(logits.float(), labels, of_class), weights)


def class_weights(counts: Sequence[int], beta: float) -> list[float]:
    """Weights of the classes by their effective number of samples (Cui et al., CVPR 2019, equations 4 and 5).

    w_c ∝ (1 − β) / (1 − β^n_c), scaled to a mean of 1 over the classes. A class without samples weighs as one with a
    single sample: no batch has it.
    """
    raw = [(1 - beta) / (1 - beta ** max(1, count)) for count in counts]
    scale = len(raw) / sum(raw)
    return [weight * scale for weight in raw]


def _focal(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    log_p = functional.log_softmax(logits, dim=1)
    if labels.ndim == 1:
        log_p = log_p.gather(1, labels[:, None])[:, 0]
    # 1 - p without the rounding of p near 1; and not 0, where a power below 1 has no finite slope
    missing = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny)
    losses = -(missing**gamma * log_p)
    return losses if labels.ndim == 1 else (labels * losses).sum(dim=1)


def _weighted(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    if labels.ndim == 2:
        return -(labels * weights * functional.log_softmax(logits, dim=1)).sum(dim=1)
    # torch's own mean divides by the weights in the batch: the share of a sample would depend on its neighbours
    return functional.cross_entropy(logits, labels, reduction="none") * weights[labels]
