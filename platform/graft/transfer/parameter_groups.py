"""Optimizer parameter groups: learning rates, weight decay."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from graft.spec.components.unfreezing import AtOnce
from graft.spec.strategy import Strategy
from graft.transfer.freezing import AdaptedModel
from graft.transfer.tuning.adapters import adapters_of


@dataclass(frozen=True)
class TrainableParts:
    """The trainable parameters of a model by part, in the order of the model; frozen ones are in none.

    Attributes:
        pretrained: backbone parameters that start from pretrained values.
        redrawn: backbone parameters that were drawn again.
        head: parameters of the head.
        adapters: parameters that a tuning has added; penalties know nothing of them.
        depths: of all of these: 0 for the stem, i for the i-th block (from 1), more for the head.
        num_blocks: of the backbone.
    """

    pretrained: dict[str, nn.Parameter] = field(default_factory=dict)
    redrawn: dict[str, nn.Parameter] = field(default_factory=dict)
    head: dict[str, nn.Parameter] = field(default_factory=dict)
    adapters: dict[str, nn.Parameter] = field(default_factory=dict)
    depths: dict[str, int] = field(default_factory=dict)
    num_blocks: int = 0

    @property
    def backbone(self) -> dict[str, nn.Parameter]:
        return {**self.pretrained, **self.redrawn}

    @property
    def new(self) -> dict[str, nn.Parameter]:
        return {**self.redrawn, **self.head}


def trainable_parts(model: AdaptedModel, num_redrawn: int) -> TrainableParts:
    """Sort the trainable parameters of `model`, whose last `num_redrawn` blocks were drawn again."""
    num_blocks = len(model.network.backbone.blocks)
    first_redrawn = num_blocks - num_redrawn + 1
    parts = TrainableParts(num_blocks=num_blocks)
    for part in model.network.parts():
        trainable = {name: one for name, one in part.named_parameters().items() if one.requires_grad}
        parts.depths.update(dict.fromkeys(trainable, part.depth))
        prefixes = tuple(f"{part.name}.{name}." for name, _ in adapters_of(part.module))
        parts.adapters.update({name: one for name, one in trainable.items() if name.startswith(prefixes)})
        trainable = {name: one for name, one in trainable.items() if name not in parts.adapters}
        if part.role == "head":
            parts.head.update(trainable)
        elif part.role == "block" and part.depth >= first_redrawn:
            parts.redrawn.update(trainable)
        else:
            parts.pretrained.update(trainable)
    return parts


def weights_of(parameters: dict[str, nn.Parameter]) -> dict[str, nn.Parameter]:
    """Those that decay and penalties apply to: matrices and kernels.

    Biases, norm scales, layer scales, position embeddings and class tokens are spared, as is usual: pulling them to
    zero does not make a network simpler.
    """
    return {name: p for name, p in parameters.items() if p.ndim >= 2 and name.endswith("weight")}


def parameter_groups(parts: TrainableParts, strategy: Strategy) -> list[dict[str, Any]]:
    """Groups for a torch optimiser, each with `params`, their `names`, `lr`, `weight_decay`, `name` and `depth`.

    Empty ones are left out. The names of groups are ``backbone/decay``, ``backbone/no_decay``, ``head/decay`` and
    ``head/no_decay``. Redrawn blocks and adapters learn at the rate of the backbone they belong to.

    Where blocks learn at rates of their own (`lr_decay`), or begin to train at times of their own (`unfreeze`), each
    has its groups, named ``backbone.<depth>/decay``, of a `depth` that is None elsewhere. Block i of n learns at
    lr · ξⁿ⁻ⁱ with ξ = `lr_decay` (Howard and Ruder, ULMFiT, ACL 2018, section 3.2, their η^(l−1) = η^l / 2.6), the stem
    as a block 0.
    """
    backbone = {**parts.backbone, **parts.adapters}
    head = _split("head", parts.head, strategy.lr * strategy.head_lr_factor, strategy.weight_decay)
    if strategy.lr_decay == 1 and isinstance(strategy.unfreeze, AtOnce):
        return [*_split("backbone", backbone, strategy.lr, strategy.weight_decay), *head]
    groups: list[dict[str, Any]] = []
    for depth in sorted({parts.depths[name] for name in backbone}):
        own = {name: one for name, one in backbone.items() if parts.depths[name] == depth}
        lr = strategy.lr * strategy.lr_decay ** (parts.num_blocks - depth)
        groups += ({**group, "depth": depth} for group in _split(f"backbone.{depth}", own, lr, strategy.weight_decay))
    return [*groups, *head]


def _split(part: str, parameters: dict[str, nn.Parameter], lr: float, weight_decay: float) -> Iterator[dict[str, Any]]:
    decayed = weights_of(parameters)
    spared = {name: parameter for name, parameter in parameters.items() if name not in decayed}
    for kind, chosen, decay in (("decay", decayed, weight_decay), ("no_decay", spared, 0.0)):
        if chosen:
            yield {
                "name": f"{part}/{kind}",
                "params": [*chosen.values()],
                "names": [*chosen],
                "depth": None,
                "lr": lr,
                "weight_decay": decay,
            }
