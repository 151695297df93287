"""Torch optimisers and learning-rate schedules from a strategy; their state as flat tensors by parameter name."""

import math
from collections.abc import Iterator, Set
from typing import Any

import torch
from torch import Tensor

from graft.core.errors import ArtifactError
from graft.models.deferred_compiler import deferred_compiler
from graft.spec.components.optimizer import AdamW, OptimizerSpec, Sgd
from graft.spec.components.schedule import Constant, Cosine, OneCycle, ScheduleSpec
from graft.spec.registry import build

# Fused kernels: one pass over the weights. On one CPU thread AdamW over EfficientNet-Lite0 takes 3 ms a step, not 14.
_FUSED_ON = ("cpu", "cuda")

# As in torch and fast.ai: the cycle ends four orders of magnitude below where it starts.
_LAST_OF_CYCLE = 1e-4

_STATE_KEYS: dict[type[torch.optim.Optimizer], set[str]] = {
    torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.SGD: {"momentum_buffer"},
}


def build_optimizer(spec: OptimizerSpec, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """An optimiser over parameter groups that carry their own `lr`, `weight_decay` and `names` (of their parameters).

    Weight decay is decoupled in AdamW and part of the gradient in SGD, as torch has them. Groups are copied: building
    twice from the same groups gives two independent optimisers.
    """
    # Torch asks its compiler not to compile what takes groups in: a second of imports, which heads that are solved, and
    # take no step, never need.
    with deferred_compiler():
        optimizer: torch.optim.Optimizer = build(spec, [dict(group) for group in groups])
    return optimizer


def adamw(spec: AdamW, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """torch's AdamW."""
    return torch.optim.AdamW(groups, fused=_can_be_fused(groups))


def sgd(spec: Sgd, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """torch's SGD."""
    nesterov = spec.nesterov and spec.momentum > 0
    return torch.optim.SGD(groups, momentum=spec.momentum, nesterov=nesterov, fused=_can_be_fused(groups))


def lr_factor(schedule: ScheduleSpec, step: int, total_steps: int) -> float:
    """What the peak learning rate is multiplied by at a step: a pure function, so there is no state to resume.

    Args:
        schedule: which shape.
        step: t, from 0; steps past the end get the last value.
        total_steps: T, at least 1.
    """
    return float(build(schedule, step, total_steps))


def constant_factor(schedule: Constant, step: int, total_steps: int) -> float:
    """Always 1."""
    return 1.0


def cosine_factor(schedule: Cosine, step: int, total_steps: int) -> float:
    """A cosine with warm-up (Loshchilov and Hutter, ICLR 2017, without restarts).

    w = round(warmup · T) steps rise linearly, the last of them at the peak; then ½ · (1 + cos(π · (t − w) / (T − w))),
    which would reach zero at t = T, the first step that is not taken. So every step moves the weights, even if there is
    only one.
    """
    at = min(step, total_steps - 1)
    warmup = min(round(schedule.warmup * total_steps), total_steps - 1)
    if at < warmup:
        return (at + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (at - warmup) / (total_steps - warmup)))


def one_cycle_factor(schedule: OneCycle, step: int, total_steps: int) -> float:
    """Up and down once (Smith and Topin, Super-Convergence, 2018), both ways along half a cosine.

    From `start` at t = 0 to the peak at t = round(rise · (T + 1)) − 1, then down to `start` · 10⁻⁴ at t = T, the first
    step that is not taken: torch's `OneCycleLR` of T + 1 steps, but that the peak falls on a step.
    """
    at = min(step, total_steps - 1)
    up = min(max(round(schedule.rise * (total_steps + 1)) - 1, 0), total_steps - 1)
    if at < up:
        return _between(schedule.start, 1.0, at / up)
    return _between(1.0, schedule.start * _LAST_OF_CYCLE, (at - up) / (total_steps - up))


def _between(first: float, last: float, share: float) -> float:
    """A point on half a cosine from one value to another."""
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * share))


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors as ``"<parameter name>/<key>"``; not copied. Empty before the first step."""
    return {
        f"{name}/{key}": value
        for name, parameter in _named_parameters(optimizer)
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer, state: dict[str, Tensor], frozen: Set[str] = frozenset()
) -> None:
    """Put tensors of `optimizer_state` back; a parameter that the state does not know starts afresh.

    Each takes the memory layout of its parameter: fused kernels walk both as flat memory, so a moment stored row by row
    under a channels-last weight would silently belong to other weights.

    Args:
        optimizer: loses the state it has.
        state: from an optimiser of the same kind, over parameters of the same model.
        frozen: parameters that this optimiser does not have but the model has; what the state knows of them is dropped.

    Raises:
        ArtifactError: the state belongs to another kind of optimiser or another model.
    """
    parameters = dict(_named_parameters(optimizer))
    known = _STATE_KEYS.get(type(optimizer), {name.rpartition("/")[2] for name in state})
    optimizer.state.clear()
    if optimizer.defaults.get("momentum") == 0:
        known, state = set(), {name: value for name, value in state.items() if not name.endswith("/momentum_buffer")}
    for name, value in state.items():
        owner, _, key = name.rpartition("/")
        if key not in known or owner not in parameters.keys() | frozen:
            raise _foreign(name)
        if owner in parameters:
            optimizer.state[parameters[owner]][key] = _laid_out(name, value, parameters[owner])
    for name, parameter in parameters.items():
        if parameter in optimizer.state and optimizer.state[parameter].keys() != known:
            raise _foreign(f"{name}/{next(iter(optimizer.state[parameter]))}")
    _fill_momentum(optimizer)


def _can_be_fused(groups: list[dict[str, Any]]) -> bool:
    return all(parameter.device.type in _FUSED_ON for group in groups for parameter in group["params"])


def _laid_out(name: str, value: Tensor, parameter: Tensor) -> Tensor:
    if name.endswith("/step"):
        return value.to(parameter.device, copy=True)
    if value.shape != parameter.shape:
        raise _foreign(name)
    return torch.empty_like(parameter, requires_grad=False).copy_(value)


def _fill_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Give every parameter a momentum if any has one: the fused kernel takes all or none. Zero is a fresh start."""
    if isinstance(optimizer, torch.optim.SGD) and optimizer.state:
        for _, parameter in _named_parameters(optimizer):
            if "momentum_buffer" not in optimizer.state[parameter]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter, requires_grad=False)


def _named_parameters(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for group in optimizer.param_groups:
        yield from zip(group["names"], group["params"], strict=True)


def _foreign(name: str) -> ArtifactError:
    return ArtifactError(
        f"optimiser state has `{name}`, but must come from the same model and kind of optimiser; "
        "start this training again"
    )
