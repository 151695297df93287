"""Penalties on the weights: what is added to the loss to keep them small, or near where they started.

A penalty knows its value, and adds its gradient to gradients that are already there. The second is what training uses:
the same numbers as differentiating the value, without a graph over every weight at every step.
"""

from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from graft.spec.components.activation_penalty import ActivationPenaltySpec
from graft.spec.components.penalty import L1, L1SP, L2, L2SP, NoPenalty, PenaltySpec
from graft.spec.registry import build
from graft.transfer.parameter_groups import TrainableParts, weights_of


class Penalty(Protocol):
    """A term of the loss that depends on the weights alone. Biases, norms and frozen weights are never part of it."""

    def value(self) -> Tensor:
        """The penalty now, a scalar that can be differentiated."""
        ...

    def add_gradients(self) -> None:
        """Add the gradient of `value` to the `grad` of every weight that has one."""
        ...

    def follow_weights(self) -> None:
        """Bring what is kept beside the weights to where they are now, after they were moved."""
        ...


def build_penalty(spec: PenaltySpec, parts: TrainableParts) -> Penalty:
    """The penalty a strategy names, over the trainable parameters in `parts`; of one on activations, what is beside it.

    Raises:
        SpecError: it is another package's, and cannot be built.
    """
    if isinstance(spec, ActivationPenaltySpec):
        spec, parts = spec.of_weights(), replace(parts, pretrained={})
    penalty: Penalty = build(spec, parts)
    return penalty


class _Memoryless:
    """A penalty that keeps nothing beside the weights."""

    def follow_weights(self) -> None:
        return


class Unpenalised(_Memoryless):
    """Always zero."""

    def __init__(self, spec: NoPenalty, parts: TrainableParts) -> None:
        pass

    def value(self) -> Tensor:
        return torch.zeros(())

    def add_gradients(self) -> None:
        return


class L1Penalty(_Memoryless):
    """strength · Σ|w|."""

    def __init__(self, spec: L1, parts: TrainableParts) -> None:
        self._strength = spec.strength
        self._weights = [*weights_of({**parts.backbone, **parts.head}).values()]

    def value(self) -> Tensor:
        return self._strength * _total([weight.abs().sum() for weight in self._weights])

    def add_gradients(self) -> None:
        weights, gradients = _with_gradients(self._weights)
        if weights:
            torch._foreach_add_(gradients, torch._foreach_sign(weights), alpha=self._strength)


class L2Penalty(_Memoryless):
    """strength/2 · Σw²."""

    def __init__(self, spec: L2, parts: TrainableParts) -> None:
        self._strength = spec.strength
        self._weights = [*weights_of({**parts.backbone, **parts.head}).values()]

    def value(self) -> Tensor:
        return self._strength / 2 * _total([weight.square().sum() for weight in self._weights])

    def add_gradients(self) -> None:
        weights, gradients = _with_gradients(self._weights)
        if weights:
            torch._foreach_add_(gradients, weights, alpha=self._strength)


class _TowardsStart:
    """A pull of the pretrained weights w towards w⁰, and β/2 · Σw² over the new ones.

    w⁰ are the values at the time this object is made. These are the pretrained ones, the same bits whenever a strategy
    is adapted, so they are in no saved state.
    """

    def __init__(self, spec: L1SP | L2SP, parts: TrainableParts) -> None:
        self._alpha, self._beta = spec.strength, spec.head_strength
        self._pretrained = weights_of(parts.pretrained)
        self._new = [*weights_of(parts.new).values()]
        self._start = {name: weight.detach().clone() for name, weight in self._pretrained.items()}

    def value(self) -> Tensor:
        pairs = ((weight, self._start[name]) for name, weight in self._pretrained.items())
        pull = _total([self._pull(weight - start) for weight, start in pairs])
        return self._alpha * pull + self._beta / 2 * _total([weight.square().sum() for weight in self._new])

    def add_gradients(self) -> None:
        names = [name for name, weight in self._pretrained.items() if weight.grad is not None]
        weights, gradients = _with_gradients([self._pretrained[name] for name in names])
        if weights:
            self._add_pull(gradients, weights, [self._start[name] for name in names])
        weights, gradients = _with_gradients(self._new)
        if weights and self._beta:
            torch._foreach_add_(gradients, weights, alpha=self._beta)

    def follow_weights(self) -> None:
        self._start = {
            name: torch.empty_like(weight, requires_grad=False).copy_(self._start[name])
            for name, weight in self._pretrained.items()
        }

    def _pull(self, moved: Tensor) -> Tensor:
        """What one weight adds, but for α, from its w − w⁰."""
        raise NotImplementedError

    def _add_pull(self, gradients: list[Tensor], weights: list[Tensor], start: list[Tensor]) -> None:
        """Add the gradient of all of them."""
        raise NotImplementedError


class L1SPPenalty(_TowardsStart):
    """L1 towards the starting point (Li, Grandvalet, Davoine, ICML 2018, their section 4.2).

    α · Σ|w − w⁰| over the trainable pretrained weights + β/2 · Σw² over the new ones, with α = `strength` and β =
    `head_strength`.
    """

    def _pull(self, moved: Tensor) -> Tensor:
        return moved.abs().sum()

    def _add_pull(self, gradients: list[Tensor], weights: list[Tensor], start: list[Tensor]) -> None:
        torch._foreach_add_(gradients, torch._foreach_sign(torch._foreach_sub(weights, start)), alpha=self._alpha)


class L2SPPenalty(_TowardsStart):
    """L2 towards the starting point (Li, Grandvalet, Davoine, ICML 2018, their equation 6).

    α/2 · Σ(w − w⁰)² over the trainable pretrained weights + β/2 · Σw² over the new ones, with α = `strength` and β =
    `head_strength`.
    """

    def _pull(self, moved: Tensor) -> Tensor:
        return moved.square().sum() / 2

    def _add_pull(self, gradients: list[Tensor], weights: list[Tensor], start: list[Tensor]) -> None:
        torch._foreach_add_(gradients, weights, alpha=self._alpha)
        torch._foreach_sub_(gradients, start, alpha=self._alpha)


def _with_gradients(weights: list[Any]) -> tuple[list[Tensor], list[Tensor]]:
    trained = [weight for weight in weights if weight.grad is not None]
    return [weight.detach() for weight in trained], [weight.grad for weight in trained]


def _total(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum() if terms else torch.zeros(())
