"""Penalty, loss, optimiser, schedule, selection, tuning and unfreezing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.models.network import Part
from graft.transfer.unfreezing import Moment, Phase
from graft_flowers.specs import FirstOnes, Halves, Petals, RmsProp, Root, Spring, SquaredProbability


class RootPenalty:
    def __init__(self, spec: Root, parts: Any) -> None:
        self._strength, self._weights = spec.strength, [*parts.backbone.values(), *parts.head.values()]

    def value(self) -> Tensor:
        return self._strength * sum((weight.abs() + 1e-6).sqrt().sum() for weight in self._weights)

    def add_gradients(self) -> None:
        for weight in self._weights:
            if weight.grad is not None:
                gradient = weight.detach().sign() / (2 * (weight.detach().abs() + 1e-6).sqrt())
                weight.grad.add_(gradient, alpha=self._strength)

    def follow_weights(self) -> None:
        pass


def squared_probability(spec: SquaredProbability, training: Any, facts: Any, device: Any) -> Any:
    def loss(outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        chances = outputs.float().softmax(dim=1)
        missed = (chances - functional.one_hot(targets, chances.shape[1])).square().sum(dim=1)
        return missed.mean() if weights is None else (missed * weights).mean()

    return loss


def rmsprop(spec: RmsProp, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(groups)


def halves(spec: Halves, step: int, total_steps: int) -> float:
    return 1.0 if step < total_steps / 2 else 0.5


def first_ones(spec: FirstOnes, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.arange(features.shape[1]) < spec.count


def petals(spec: Petals, parts: Sequence[Part], seed: int) -> list[nn.Module]:
    """The stem stays as it is."""
    stems = [part.module for part in parts if part.role == "stem"]
    for stem in stems:
        stem.requires_grad_(False)
    return stems


def spring(spec: Spring, moment: Moment) -> Phase:
    """All blocks at once."""
    return Phase(moment.stop if moment.step < int(spec.winter * moment.total) else moment.start)


def rooted(spec: Any, beginning: Any) -> None:
    with torch.no_grad():
        for parameter in beginning.session.model.network.head.parameters():
            parameter.fill_(spec.depth)
