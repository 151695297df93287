"""A backbone with a head: what is trained, and what a bundle holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from graft.models.backbone import Backbone, Hidden
from graft.models.feature_scaling import CentredUnitLength, FeatureMapping, FeatureScaling, behind_scaling
from graft.spec.components.head import HeadSpec, LinearHead, LogisticHead, MlpHead, PrototypeHead, RidgeHead
from graft.spec.registry import build
from graft.spec.strategy import Strategy

BACKBONE = "backbone"
"""Name of the one tower that a network has today."""


@dataclass(frozen=True)
class Part:
    """A part of a network that is frozen, redrawn or trained as a whole.

    Attributes:
        name: of its module in the network, such as ``backbone.blocks.3``.
        role: what it is.
        tower: which of the network's towers it belongs to; empty for the head, which belongs to all.
        depth: 0 for the stem, i for the i-th block (from 1), one more than the last block for the head.
        module: its layers.
    """

    name: str
    role: Literal["stem", "block", "adapter", "head"]
    tower: str
    depth: int
    module: nn.Module

    def state(self) -> dict[str, Tensor]:
        """Its parameters and buffers by their names in the network; not copied."""
        return {f"{self.name}.{name}": tensor for name, tensor in self.module.state_dict().items()}

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Its parameters by their names in the network."""
        return {f"{self.name}.{name}": parameter for name, parameter in self.module.named_parameters()}


class Network(nn.Module):
    """Batches to outputs.

    Args:
        backbone: a batch of samples to features [B, F].
        head: features [B, F] to outputs [B, K].
    """

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, batch: Mapping[str, Tensor] | Tensor) -> Tensor:
        """Outputs [B, K] of a batch, or of the one tensor that the stem takes."""
        outputs: Tensor = self.head(self.backbone(batch))
        return outputs

    @property
    def scaling(self) -> FeatureScaling | FeatureMapping | None:
        """What scales or maps the features of its head; None where nothing does."""
        first = next(iter(self.head), None) if isinstance(self.head, nn.Sequential) else None
        return first if isinstance(first, FeatureScaling | FeatureMapping) else None

    def above(self, hidden: Hidden, cut: int) -> Tensor:
        """Outputs [B, K] of what ``backbone.below(batch, cut)`` gives."""
        outputs: Tensor = self.head(self.backbone.above(hidden, cut))
        return outputs

    def parts(self) -> tuple[Part, ...]:
        """All parts, from the input to the output."""
        blocks = self.backbone.blocks
        return (
            Part(f"{BACKBONE}.stem", "stem", BACKBONE, 0, self.backbone.stem),
            *(
                Part(f"{BACKBONE}.blocks.{index}", "block", BACKBONE, index + 1, block)
                for index, block in enumerate(blocks)
            ),
            Part("head", "head", "", len(blocks) + 1, self.head),
        )


def build_head(head: HeadSpec, in_features: int, num_outputs: int) -> nn.Module:
    """A new head: features [B, in_features] to outputs [B, num_outputs].

    Its weights are drawn from torch's global generator. The layers of ours do not depend on the dropout rate, so
    weights move between heads that differ only in it.

    Args:
        head: which.
        in_features: length of the feature vector.
        num_outputs: length of the output vector.
    """
    built: nn.Module = build(head, in_features, num_outputs)
    return built


def head_of(strategy: Strategy, backbone: Backbone, num_outputs: int) -> nn.Module:
    """The head of a strategy on a backbone: with what scales or maps its features, where the strategy has some."""
    if strategy.init.map_shape:
        mapping = FeatureMapping(backbone.num_features, *strategy.init.map_shape)
        return nn.Sequential(mapping, build_head(strategy.head, strategy.init.map_shape[0], num_outputs))
    head = build_head(strategy.head, backbone.num_features, num_outputs)
    is_scaled = strategy.scales_features(len(backbone.blocks))
    return behind_scaling(head, backbone.num_features) if is_scaled else head


def linear_head(spec: LinearHead, in_features: int, num_outputs: int) -> nn.Module:
    """One linear layer."""
    return nn.Sequential(nn.Dropout(spec.dropout), nn.Linear(in_features, num_outputs))


def mlp_head(spec: MlpHead, in_features: int, num_outputs: int) -> nn.Module:
    """`depth` hidden layers of `width` units with GELU, then a linear layer."""
    layers: list[nn.Module] = [nn.Linear(in_features, spec.width), nn.GELU()]
    for _ in range(spec.depth - 1):
        layers += [nn.Dropout(spec.dropout), nn.Linear(spec.width, spec.width), nn.GELU()]
    return nn.Sequential(*layers, nn.Dropout(spec.dropout), nn.Linear(spec.width, num_outputs))


def solved_linear_head(spec: LogisticHead | RidgeHead, in_features: int, num_outputs: int) -> nn.Module:
    """One linear layer, as a head that is trained has it: the scaling of features is in its weights."""
    return linear_head(LinearHead(), in_features, num_outputs)


def prototype_head(spec: PrototypeHead, in_features: int, num_outputs: int) -> nn.Module:
    """Cosines of centred features to a row of weights for each output."""
    return nn.Sequential(CentredUnitLength(in_features), nn.Linear(in_features, num_outputs))
