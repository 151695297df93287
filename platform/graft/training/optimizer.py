"""Torch optimisers from a strategy, and their state as flat tensors."""

from typing import Any

import torch
from torch import Tensor

from graft.core.errors import ArtifactError
from graft.spec.strategy import AdamW, Sgd

# Fused kernels: one pass over the weights. On one CPU thread AdamW over EfficientNet-Lite0 takes 3 ms a step, not 14.
_FUSED_ON = ("cpu", "cuda")

_STATE_KEYS: dict[type[torch.optim.Optimizer], set[str]] = {
    torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.SGD: {"momentum_buffer"},
}


def build_optimizer(spec: AdamW | Sgd, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """An optimiser over parameter groups that carry their own `lr` and `weight_decay`.

    Weight decay is decoupled in AdamW and part of the gradient in SGD, as torch has them. Groups are copied: building
    twice from the same groups gives two independent optimisers.
    """
    copies = [dict(group) for group in groups]
    fused = all(parameter.device.type in _FUSED_ON for group in copies for parameter in group["params"])
    if isinstance(spec, Sgd):
        nesterov = spec.nesterov and spec.momentum > 0
        return torch.optim.SGD(copies, momentum=spec.momentum, nesterov=nesterov, fused=fused)
    return torch.optim.AdamW(copies, fused=fused)


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors as ``"<parameter index>/<key>"``; not copied. Empty before the first step."""
    return {
        f"{index}/{key}": value
        for index, parameter in enumerate(_parameters(optimizer))
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: dict[str, Tensor]) -> None:
    """Put tensors of `optimizer_state` back.

    Each takes the memory layout of its parameter: fused kernels walk both as flat memory, so a moment stored row by row
    under a channels-last weight would silently belong to other weights.

    Raises:
        ArtifactError: the state belongs to other parameters.
    """
    parameters = _parameters(optimizer)
    known = _STATE_KEYS[type(optimizer)]
    optimizer.state.clear()
    for name, value in state.items():
        index, _, key = name.partition("/")
        if key not in known or not index.isdigit() or int(index) >= len(parameters):
            raise _foreign(name)
        parameter = parameters[int(index)]
        if key == "step":
            optimizer.state[parameter][key] = value.to(parameter.device, copy=True)
        elif value.shape == parameter.shape:
            optimizer.state[parameter][key] = torch.empty_like(parameter, requires_grad=False).copy_(value)
        else:
            raise _foreign(name)


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _foreign(name: str) -> ArtifactError:
    return ArtifactError(
        f"optimiser state has `{name}`, but must come from the same model and strategy; start this training again"
    )
