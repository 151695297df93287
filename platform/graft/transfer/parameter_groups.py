"""Optimizer parameter groups: learning rates, weight decay."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from graft.spec.strategy import Strategy
from graft.transfer.freezing import AdaptedModel


@dataclass(frozen=True)
class TrainableParts:
    """The trainable parameters of a model by part, in the order of the model; frozen ones are in none.

    Attributes:
        pretrained: backbone parameters that start from pretrained values.
        redrawn: backbone parameters that were drawn again.
        head: parameters of the head.
    """

    pretrained: dict[str, nn.Parameter] = field(default_factory=dict)
    redrawn: dict[str, nn.Parameter] = field(default_factory=dict)
    head: dict[str, nn.Parameter] = field(default_factory=dict)

    @property
    def backbone(self) -> dict[str, nn.Parameter]:
        return {**self.pretrained, **self.redrawn}

    @property
    def new(self) -> dict[str, nn.Parameter]:
        return {**self.redrawn, **self.head}


def trainable_parts(model: AdaptedModel, num_redrawn: int) -> TrainableParts:
    """Sort the trainable parameters of `model`, whose last `num_redrawn` blocks were drawn again."""
    first_redrawn = len(model.network.backbone.blocks) - num_redrawn + 1
    parts = TrainableParts()
    for part in model.network.parts():
        trainable = {name: one for name, one in part.named_parameters().items() if one.requires_grad}
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
    """Groups for a torch optimiser, each with `params`, their `names`, `lr`, `weight_decay` and `name`.

    Empty ones are left out. The names of groups are ``backbone/decay``, ``backbone/no_decay``, ``head/decay`` and
    ``head/no_decay``. Redrawn blocks learn at the rate of the backbone they belong to.
    """
    return [
        *_split("backbone", parts.backbone, strategy.lr, strategy.weight_decay),
        *_split("head", parts.head, strategy.lr * strategy.head_lr_factor, strategy.weight_decay),
    ]


def _split(part: str, parameters: dict[str, nn.Parameter], lr: float, weight_decay: float) -> Iterator[dict[str, Any]]:
    decayed = weights_of(parameters)
    spared = {name: parameter for name, parameter in parameters.items() if name not in decayed}
    for kind, chosen, decay in (("decay", decayed, weight_decay), ("no_decay", spared, 0.0)):
        if chosen:
            yield {
                "name": f"{part}/{kind}",
                "params": [*chosen.values()],
                "names": [*chosen],
                "lr": lr,
                "weight_decay": decay,
            }
