"""Predictions of a model over a split."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graft.training.precision import Precision, autocast
from graft.training.world import World


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
    logits, labels = _predict(model, batches, precision)
    if not len(labels):
        raise _nothing()
    return _as_numpy(logits, labels)


def predict_in_parts(
    model: nn.Module, batches: EvaluationBatches, precision: Precision, world: World
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """`predict_proba` by all ranks together: each predicts its part of the samples, and rank 0 gets all.

    Args:
        model: the same on every rank.
        batches: this rank's part of the samples, which follows that of the rank before it; it may be empty.
        precision: of the forward pass.
        world: the ranks; every one has to call this.

    Returns:
        Probabilities [N, K] and labels [N] of all ranks' samples, in the order of the ranks, on rank 0; None elsewhere.

    Raises:
        ValueError: no rank has a batch.
    """
    logits, labels = _predict(model, batches, precision)
    if not world.sum([len(labels)])[0]:
        raise _nothing()
    all_logits, all_labels = world.gather_rows(logits.float()), world.gather_rows(labels[:, None])
    if all_logits is None or all_labels is None:
        return None
    return _as_numpy(all_logits, all_labels[:, 0])


def _predict(model: nn.Module, batches: EvaluationBatches, precision: Precision) -> tuple[Tensor, Tensor]:
    """Logits [N, K] and labels [N] (int64) of this process's samples; [0, 0] and [0] if there is none."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), autocast(precision, device):
            pairs = [(model(images), labels) for images, labels in batches.in_order()]
    finally:
        model.train(was_training)
    if not pairs:
        return torch.empty(0, 0, device=device), torch.empty(0, dtype=torch.int64, device=device)
    return torch.cat([logits for logits, _ in pairs]), torch.cat([labels for _, labels in pairs]).to(torch.int64)


def _as_numpy(logits: Tensor, labels: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return torch.softmax(logits.double(), dim=1).cpu().numpy(), labels.cpu().numpy()


def _nothing() -> ValueError:
    return ValueError("there is no sample to predict, but at least one is needed")
