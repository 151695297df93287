"""Batch norm with the statistics of the batches of all ranks together.

torch.nn.SyncBatchNorm runs on GPUs only, and putting it in place of the modules of a network loses what subclasses add
(see `graft.transfer.batch_norm_mode`).
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from graft.training.world import World
from graft.transfer.batch_norm_mode import BatchNormCall, BatchNormMode


def global_batch_norm(world: World) -> BatchNormMode:
    """While it is entered, batch norm in training mode normalises over all ranks.

    The mean and variance are those of all samples of all ranks, however many each has; running statistics move by them.
    Gradients are those of the whole batch, up to what `World.data_parallel` does with parameters.
    """
    return BatchNormMode(partial(_over_ranks, world))


def _over_ranks(world: World, call: BatchNormCall) -> Tensor:
    if not call.training:
        return call.torch()
    mean, variance, count = _statistics(call.input, world)
    if call.running_mean is not None and call.running_var is not None:
        unbiased = variance * count / (count - 1)
        call.running_mean.lerp_(mean.to(call.running_mean.dtype), call.momentum)
        call.running_var.lerp_(unbiased.to(call.running_var.dtype), call.momentum)
    inverse = (variance + call.eps).rsqrt()
    normal: Tensor = _Normalise.apply(_at_least_float32(call.input), mean, inverse, count, world)
    if call.weight is not None:
        normal = normal * _per_channel(call.weight, call.input)
    if call.bias is not None:
        normal = normal + _per_channel(call.bias, call.input)
    return normal.to(call.input.dtype)


class _Normalise(torch.autograd.Function):
    """(x − mean) / deviation, where both depend on the x of every rank."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, inverse: Tensor, count: Tensor, world: World) -> Tensor:
        normal = (x - _per_channel(mean, x)) * _per_channel(inverse, x)
        ctx.save_for_backward(normal, inverse, count)
        ctx.world = world
        return normal

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        """dx = (g − mean(g) − x̂ · mean(g · x̂)) / deviation, with means over the samples of all ranks."""
        normal, inverse, count = ctx.saved_tensors
        over = _all_but_channels(normal)
        sums = torch.stack([gradient.sum(over), (gradient * normal).sum(over)]).double()
        ctx.world.sum_(sums)
        mean, slope = sums / count
        rest = gradient - _per_channel(mean, normal) - normal * _per_channel(slope, normal)
        return rest * _per_channel(inverse, normal), None, None, None, None


@torch.no_grad()
def _statistics(x: Tensor, world: World) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance of each channel over all ranks, and of how many values; float64 [C]."""
    over = _all_but_channels(x)
    own = x.numel() // x.shape[1]
    variance, mean = torch.var_mean(_at_least_float32(x), over, correction=0)
    variance, mean = variance.double(), mean.double()
    count = torch.full_like(mean, own)
    sums = torch.stack([count, mean * own, (variance + mean.square()) * own])
    world.sum_(sums)
    total, mean, square = sums[0], sums[1] / sums[0], sums[2] / sums[0]
    # rounding must not make the variance of a constant channel negative
    return mean, (square - mean.square()).clamp_min(0), total


def _all_but_channels(x: Tensor) -> list[int]:
    return [dimension for dimension in range(x.ndim) if dimension != 1]


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    """Values [C] in the type of x and of a shape that its samples share."""
    return values.to(torch.promote_types(x.dtype, torch.float32)).view(1, -1, *(1 for _ in range(x.ndim - 2)))


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
