"""From a pretrained network and a strategy to something that can be trained."""

from dataclasses import dataclass
from typing import Any

from graft.models.network import Network
from graft.spec.strategy import Strategy
from graft.transfer.freezing import AdaptedModel
from graft.transfer.frozen_part import frozen_part
from graft.transfer.parameter_groups import parameter_groups, trainable_parts
from graft.transfer.penalties.activations import ActivationPenalty, build_activation_penalty
from graft.transfer.penalties.weights import Penalty, build_penalty
from graft.transfer.reinitialise import reinitialise
from graft.transfer.stochastic import make_stochastic


@dataclass(frozen=True)
class Adapted:
    """A model made ready by a strategy.

    Attributes:
        model: the network with its frozen part; `model.network` is what a bundle is written from.
        penalty: the penalty over its trainable weights.
        groups: parameter groups for a torch optimiser.
        cut: frozen blocks, after reinitialised ones were taken out; 0 when nothing is frozen.
        num_blocks: blocks of the backbone.
        redrawn: names of the backbone's parameters that were drawn at random again.
        activation_penalty: the penalty over what it makes of a batch; None where there is none.
    """

    model: AdaptedModel
    penalty: Penalty
    groups: list[dict[str, Any]]
    cut: int
    num_blocks: int
    redrawn: frozenset[str]
    activation_penalty: ActivationPenalty | None = None

    @property
    def trainable_params(self) -> int:
        """Number of single values that training may change by gradient."""
        return sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)

    def follow_weights(self) -> "Adapted":
        """Bring what is kept beside the weights to where they are now, after the model was moved."""
        self.penalty.follow_weights()
        if self.activation_penalty is not None:
            self.activation_penalty.follow_weights()
        return self


def adapt(network: Network, strategy: Strategy, seed: int) -> Adapted:
    """Make a network ready to be trained as a strategy says, in place.

    The head, and the last blocks if the strategy reinitialises some, are drawn from `seed`, so that backbone weights,
    strategy and seed fix the starting point bit for bit. More reinitialised blocks than there are means all of them
    (the stem stays pretrained). They are never frozen, whatever `strategy.freeze` says.

    Args:
        network: pretrained backbone and a head for the classes at hand.
        strategy: how to adapt it; its `backbone` is not looked at.
        seed: root seed of the trial.

    Raises:
        SpecError: the strategy asks for a chance that the backbone has no place for.

    Returns:
        The adapted model; it wraps `network`, which is not copied.
    """
    blocks = list(network.backbone.blocks)
    divided = frozen_part(strategy, len(blocks))
    reinitialise([network.head], seed, "head")
    reinitialise(blocks[len(blocks) - divided.redrawn :], seed, "blocks")
    model = AdaptedModel(network, divided.cut)
    make_stochastic(model, strategy)
    parts = trainable_parts(model, divided.redrawn)
    return Adapted(
        model=model,
        penalty=build_penalty(strategy.penalty, parts),
        groups=parameter_groups(parts, strategy),
        cut=divided.cut,
        num_blocks=len(blocks),
        redrawn=frozenset(parts.redrawn),
        activation_penalty=build_activation_penalty(strategy.penalty, model, divided.redrawn),
    )
