"""What is minimised in regression, apart from penalties.

Each is built as ``(spec, training, facts, device)``, as the losses of all tasks are. Outputs are standard scores;
targets come in their own units and are standardised here, so that learning rates mean the same for prices and for ages.
Every loss is a mean over samples and targets: the mean over a batch is the mean of its parts weighted by their sizes.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graft.spec.tasks.regression import Huber, Quantile, SquaredError
from graft.tasks.protocol import Facts, LossFunction
from graft.tasks.weighting import weighted_mean


def squared_error(spec: SquaredError, training: np.ndarray, facts: Facts, device: torch.device | str) -> LossFunction:
    """Mean squared error: outputs [B, T] of any float type and targets [B, T] to a float32 scalar."""
    return _standardised(facts, device, partial(functional.mse_loss, reduction="none"))


def huber(spec: Huber, training: np.ndarray, facts: Facts, device: torch.device | str) -> LossFunction:
    """Mean Huber loss: outputs [B, T] of any float type and targets [B, T] to a float32 scalar."""
    return _standardised(facts, device, partial(functional.huber_loss, reduction="none", delta=spec.delta))


def quantile(spec: Quantile, training: np.ndarray, facts: Facts, device: torch.device | str) -> LossFunction:
    """Mean pinball loss: outputs [B, T] of any float type and targets [B, T] to a float32 scalar."""
    return _standardised(facts, device, lambda outputs, wanted: _pinball(outputs, wanted, spec.quantile))


def _standardised(
    facts: Facts, device: torch.device | str, compare: Callable[[Tensor, Tensor], Tensor]
) -> LossFunction:
    # A date in seconds has more digits than float32, hence the subtraction in the targets' own type; and Apple's
    # accelerator has no float64, hence no conversion to it.
    precise = torch.float32 if torch.device(device).type == "mps" else torch.float64
    mean = torch.tensor(facts["mean"], dtype=precise, device=device)
    std = torch.tensor(facts["std"], dtype=precise, device=device)

    def loss(outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        wanted = ((targets.reshape(outputs.shape) - mean) / std).float()
        return weighted_mean(compare(outputs.float(), wanted), weights)

    return loss


def _pinball(outputs: Tensor, wanted: Tensor, level: float) -> Tensor:
    missed = wanted - outputs
    return torch.maximum(level * missed, (level - 1) * missed)
