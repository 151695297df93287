"""Outputs of a model over a split."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from graft.training.precision import Precision, autocast
from graft.training.world import World


class EvaluationBatches(Protocol):
    """Samples that stand in an order, on the device of the model."""

    def for_evaluation(self) -> Iterable[tuple[np.ndarray, Mapping[str, Tensor]]]:
        """Every sample once: the places [B] in the order that a batch's samples have, and the batch."""


def predict_outputs(model: nn.Module, batches: EvaluationBatches, precision: Precision = "fp32") -> Tensor:
    """Outputs of every sample, in the order of `batches`.

    The model is in eval mode meanwhile and in its former mode afterwards.

    Returns:
        [N, K] on the device of the model.

    Raises:
        ValueError: there is no batch.
    """
    outputs = _predict(model, batches, precision)
    if not len(outputs):
        raise _nothing()
    return outputs


def predict_in_parts(model: nn.Module, batches: EvaluationBatches, precision: Precision, world: World) -> Tensor | None:
    """`predict_outputs` by all ranks together: each predicts its part of the samples, and rank 0 gets all.

    Args:
        model: the same on every rank.
        batches: this rank's part of the samples, which follows that of the rank before it; it may be empty.
        precision: of the forward pass.
        world: the ranks; every one has to call this.

    Returns:
        Outputs [N, K] of all ranks' samples, in the order of the ranks, on rank 0; None elsewhere.

    Raises:
        ValueError: no rank has a batch.
    """
    outputs = _predict(model, batches, precision)
    if not world.sum([len(outputs)])[0]:
        raise _nothing()
    return world.gather_rows(outputs.float())


def _predict(model: nn.Module, batches: EvaluationBatches, precision: Precision) -> Tensor:
    """Outputs [N, K] of this process's samples; [0, 0] if there is none."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), autocast(precision, device):
            found = [(places, model(batch)) for places, batch in batches.for_evaluation()]
    finally:
        model.train(was_training)
    if not found:
        return torch.empty(0, 0, device=device)
    outputs = torch.cat([one for _, one in found])
    places = torch.from_numpy(np.concatenate([places for places, _ in found])).to(device)
    return torch.empty_like(outputs).index_copy_(0, places, outputs)


def _nothing() -> ValueError:
    return ValueError("there is no sample to predict, but at least one is needed")
