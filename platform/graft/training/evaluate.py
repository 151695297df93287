"""Predictions of a model over a split."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graft.training.precision import Precision, autocast


class EvaluationBatches(Protocol):
    """Batches in a fixed order: images [B, 3, H, W] and labels [B], on the device of the model."""

    def in_order(self) -> Iterable[tuple[Tensor, Tensor]]: ...


def predict_proba(
    model: nn.Module, batches: EvaluationBatches, precision: Precision = "fp32"
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Class probabilities and labels of every sample, in the order of `batches`.

    The model is in eval mode meanwhile and in its former mode afterwards. The softmax is taken in float64, so that the
    logarithm of a small probability is still right. A model that produces NaN gives NaN probabilities.

    Returns:
        Probabilities [N, K] whose rows sum to 1, and labels [N].

    Raises:
        ValueError: there is no batch.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), autocast(precision, device):
            pairs = [(model(images), labels) for images, labels in batches.in_order()]
    finally:
        model.train(was_training)
    if not pairs:
        raise ValueError("there is no sample to predict, but at least one is needed")
    logits = torch.cat([logits for logits, _ in pairs]).double()
    labels = torch.cat([labels for _, labels in pairs])
    return torch.softmax(logits, dim=1).cpu().numpy(), labels.to(torch.int64).cpu().numpy()
