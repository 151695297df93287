"""Sharpness-aware steps: the gradient is taken where the loss near the weights is highest."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from graft.training.session import Session
from graft.training.steps.update import trained


@contextmanager
def at_the_sharpest(session: Session) -> Iterator[None]:
    """A context in which the weights are moved up their gradients g (Foret et al., SAM, ICLR 2021, their equation 2).

    w + ρ · g / ‖g‖ over all trained weights together, with ρ = `strategy.sam`. Afterwards they are where they were, bit
    for bit, and what gradients the second pass has left are those of the step. Gradients are those of the whole batch,
    so all ranks move alike. Running statistics of batch norm stay as the first pass has left them.

    Args:
        session: with the gradients of the first pass; they are dropped.
    """
    weights = [parameter for parameter in trained(session) if parameter.grad is not None]
    gradients = [parameter.grad for parameter in weights if parameter.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    factor = session.plan.strategy.sam / (norm + 1e-12)
    own = [parameter.detach().clone() for parameter in weights]
    with torch.no_grad():
        torch._foreach_add_(weights, torch._foreach_mul(gradients, factor))
    session.optimizer.zero_grad(set_to_none=True)
    session.seed_step()
    try:
        with _still_statistics(session.model):
            yield
    finally:
        _put(weights, own)


@torch.no_grad()
def _put(weights: list[Tensor], values: list[Tensor]) -> None:
    torch._foreach_copy_(weights, values)


@contextmanager
def _still_statistics(model: nn.Module) -> Iterator[None]:
    """While it is entered, batch norm does not move its running statistics."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
