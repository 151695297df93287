"""Chance inside of a backbone while it is trained: residual branches, activations and batch statistics left out.

Only trained blocks are changed, and nothing that has weights: names and values of a state stay what they are, and in
eval mode the network is the one it was.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from graft.core.errors import Problem, SpecError
from graft.spec.strategy import Strategy
from graft.transfer.batch_norm_mode import BatchNormCall, BatchNormMode
from graft.transfer.freezing import AdaptedModel

# What timm and torchvision call the place of a residual branch at which it may be left out.
_BRANCHES = ("drop_path", "drop_path1", "drop_path2", "stochastic_depth")
# Modules without such a place, by attributes that only they have, and their children at which residual branches end:
# BERT and its kin, DistilBERT, ModernBERT, torchvision's MobileNetV2 and V3.
_ENDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("LayerNorm", "dropout"), ("dropout",)),
    (("sa_layer_norm",), ("attention", "ffn")),
    (("attn_norm", "mlp_norm"), ("attn", "mlp")),
    (("use_res_connect",), ("conv", "block")),
)


def make_stochastic(model: AdaptedModel, strategy: Strategy) -> None:
    """Give the trained blocks of a model the chance that a strategy asks for, in place.

    Raises:
        SpecError: they have no place for it.
    """
    blocks = list(model.network.backbone.blocks)
    trained = blocks[model.cut :]
    if not trained:
        return
    if strategy.drop_path:
        rates = [strategy.drop_path * (index + 1) / len(blocks) for index in range(model.cut, len(blocks))]
        found = sum(_drop_branches(block, rate) for block, rate in zip(trained, rates, strict=True))
        _require(found, strategy, "drop_path", "residual branches that can be left out")
    if strategy.backbone_dropout is not None:
        layers = [one for one in _within(trained) if isinstance(one, nn.Dropout)]
        for layer in layers:
            layer.p = strategy.backbone_dropout
        _require(len(layers), strategy, "backbone_dropout", "layers of dropout")
    if strategy.stochastic_norm:
        norms = [one for one in _within(trained) if isinstance(one, _BatchNorm)]
        _require(len(norms), strategy, "stochastic_norm", "batch norms")


class DropPath(nn.Module):
    """Stochastic depth of one residual branch (Huang et al., ECCV 2016): for each sample it is left out with a chance.

    What stays is divided by the chance to stay, so that its mean is that of eval mode.

    Args:
        rate: the chance to be left out, below 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """The branch [B, …], zero for the samples without it."""
        return _thinned(branch, self.rate) if self.training else branch


def stochastic_norm(chance: float) -> BatchNormMode:
    """Stochastic normalisation (Kou et al., NeurIPS 2020), while it is entered and batch norm is in training mode.

    Each channel is normalised by the running statistics with chance p, else by those of the batch:
    (1 − s) · x_batch + s · x_running, s ~ Bernoulli(p). Running statistics, which start at the pretrained ones, move as
    without it.

    Args:
        chance: p.
    """
    return BatchNormMode(partial(_by_chance, chance))


def _by_chance(chance: float, call: BatchNormCall) -> Tensor:
    by_batch = call.torch()
    if not call.training or call.running_mean is None or call.running_var is None:
        return by_batch
    mean, variance = call.running_mean.clone(), call.running_var.clone()
    by_running = call.torch(running_mean=mean, running_var=variance, training=False)
    is_running = torch.rand(call.input.shape[1], device=call.input.device) < chance
    return torch.where(is_running.view(1, -1, *(1 for _ in range(call.input.ndim - 2))), by_running, by_batch)


class _DropOutput:
    """`DropPath` behind a module, as a forward hook: nothing is added to the names of a state."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, module: nn.Module, _: Any, output: Any) -> Any:
        if not module.training:
            return output
        if isinstance(output, Tensor):
            return _thinned(output, self.rate)
        return (_thinned(output[0], self.rate), *output[1:])


def _thinned(branch: Tensor, rate: float) -> Tensor:
    if rate == 0:
        return branch
    stays = branch.new_empty(len(branch), *(1 for _ in branch.shape[1:])).bernoulli_(1 - rate)
    return branch * stays / (1 - rate)


def _drop_branches(block: nn.Module, rate: float) -> int:
    """Put a chance on every residual branch of a block; how many there are."""
    places = ((module, name) for module in block.modules() for name in _BRANCHES if hasattr(module, name))
    # Some keep a rate under that name, and the branch elsewhere.
    found = [place for place in places if isinstance(getattr(*place), nn.Module | None)]
    for module, name in found:
        setattr(module, name, DropPath(rate))
    if found:
        return len(found)
    ends = list(_branch_ends(block))
    for end in ends:
        end.register_forward_hook(_DropOutput(rate))
    return len(ends)


def _branch_ends(block: nn.Module) -> Iterator[nn.Module]:
    for module in block.modules():
        for marks, names in _ENDS:
            if all(getattr(module, mark, None) for mark in marks):
                yield from (end for name in names if isinstance(end := getattr(module, name, None), nn.Module))


def _within(blocks: Sequence[nn.Module]) -> Iterator[nn.Module]:
    return (module for block in blocks for module in block.modules())


def _require(found: int, strategy: Strategy, key: str, what: str) -> None:
    if not found:
        lack = f"but the trained blocks of {strategy.backbone} have no {what}; leave it out"
        raise SpecError([Problem(f"strategy.{key}", f"is {getattr(strategy, key)}, {lack}")])
