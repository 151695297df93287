"""Gradient steps on the support, through which a meta-gradient flows."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.nn import functional

from graft.episodes.samples import Inputs
from graft.episodes.starts.protocol import Moments, Start

Weights = dict[str, Tensor]
Loss = Callable[[Weights], Tensor]
WEIGHT, BIAS = "head.weight", "head.bias"
"""Of the head of a task, among the weights that are adapted; no start has parameters of these names."""
SMALLEST_RATE = 1e-6


@dataclass(frozen=True)
class InnerSteps:
    """How the inner loop runs.

    Attributes:
        steps: K.
        rate: α at first.
        is_first_order: whether the gradient of the inner gradient is left out.
    """

    steps: int = 5
    rate: float = 0.1
    is_first_order: bool = False


FIVE_STEPS = InnerSteps()


class TaskHead(nn.Module):
    """Where the head of a task starts: one meta-learned row for all classes, or its prototypes.

    One row for all (Ye & Chao, *How to train your MAML to excel in few-shot classification*, ICLR 2022) has no order of
    classes to depend on, and takes any number of ways. Prototypes c_k start it at w_k = 2 s c_k, b_k = −s ‖c_k‖²
    (Triantafillou and others, *Meta-Dataset*, ICLR 2020, Proto-MAML), a step of which is already a classifier.

    Args:
        width: of the vectors.
        from_prototypes: which of both.
    """

    def __init__(self, width: int, from_prototypes: bool) -> None:
        super().__init__()
        self.from_prototypes = from_prototypes
        self.row = None if from_prototypes else nn.Parameter(torch.zeros(width + 1))
        self.log_scale = nn.Parameter(torch.tensor(-math.log(width) / 2)) if from_prototypes else None

    def begin(self, vectors: Tensor, members: Tensor) -> Weights:
        """Weight [ways, D] and bias [ways] before the first step.

        Args:
            vectors: [S, D], of the support.
            members: one-hot [S, ways].
        """
        ways = members.shape[-1]
        if self.row is not None:
            return {WEIGHT: self.row[:-1].expand(ways, -1), BIAS: self.row[-1:].expand(ways)}
        assert self.log_scale is not None
        means = members.T @ vectors / members.sum(dim=0).clamp_min(1).unsqueeze(-1)
        scale = self.log_scale.exp()
        return {WEIGHT: 2 * scale * means, BIAS: -scale * means.square().sum(dim=-1)}


def logits_of(vectors: Tensor, weights: Weights) -> Tensor:
    """[n, ways]."""
    return functional.linear(vectors, weights[WEIGHT], weights[BIAS])


def split(weights: Weights) -> tuple[Weights, Weights]:
    """Those of the start, and those of the head."""
    head = {WEIGHT, BIAS}
    return {name: one for name, one in weights.items() if name not in head}, {name: weights[name] for name in head}


def called(start: Start, weights: Weights, inputs: Inputs, moments: Moments | None) -> tuple[Tensor, Moments]:
    """The start with other weights."""
    found: tuple[Tensor, Moments] = functional_call(start, weights, (inputs, moments))
    return found


def support_loss(start: Start, weights: Weights, inputs: Inputs, labels: Tensor) -> Tensor:
    """Cross-entropy of the support, normalised by its own moments."""
    body, head = split(weights)
    return functional.cross_entropy(logits_of(called(start, body, inputs, None)[0], head), labels)


def stepped(weights: Weights, slopes: Weights, rates: Weights | Tensor, is_first_order: bool) -> Weights:
    """θ − α ⊙ ∇; with the gradient taken as a constant where only first order is wanted."""
    moved = dict(weights)
    for name, slope in slopes.items():
        rate = rates if isinstance(rates, Tensor) else rates[name]
        moved[name] = weights[name] - rate * (slope.detach() if is_first_order else slope)
    return moved


def moved(loss: Loss, weights: Weights, rates: Weights | Tensor, inner: InnerSteps) -> Weights:
    """Weights after K steps down a loss of them."""
    for _ in range(inner.steps):
        weights = stepped(weights, grad(loss)(weights), rates, inner.is_first_order)
    return weights


def adapted(
    start: Start, weights: Weights, support: tuple[Inputs, Tensor], rates: Weights | Tensor, inner: InnerSteps
) -> Weights:
    """All weights after K steps on the support."""
    return moved(lambda now: support_loss(start, now, *support), weights, rates, inner)
