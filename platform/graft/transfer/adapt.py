"""From a pretrained network and a strategy to something that can be trained."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from graft.models.network import Network
from graft.spec.registry import build
from graft.spec.strategy import Strategy
from graft.transfer.freezing import AdaptedModel, copy_tensors, is_below
from graft.transfer.frozen_part import frozen_part
from graft.transfer.parameter_groups import parameter_groups, trainable_parts
from graft.transfer.penalties.activations import ActivationPenalty, build_activation_penalty
from graft.transfer.penalties.weights import Penalty, build_penalty
from graft.transfer.reinitialise import reinitialise
from graft.transfer.stochastic import make_stochastic
from graft.transfer.tuning.adapters import merge_adapters


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
        stop: the pretrained blocks that train are ``cut … stop − 1``.
        activation_penalty: the penalty over what it makes of a batch; None where there is none.
    """

    model: AdaptedModel
    penalty: Penalty
    groups: list[dict[str, Any]]
    cut: int
    num_blocks: int
    redrawn: frozenset[str]
    stop: int
    activation_penalty: ActivationPenalty | None = None

    @property
    def trainable_params(self) -> int:
        """Number of single values that training may change by gradient, at any time of it."""
        return sum(parameter.numel() for group in self.groups for parameter in group["params"])

    @property
    def trainable_share(self) -> float:
        """Their share of all values of the network, with its adapters."""
        return self.trainable_params / sum(parameter.numel() for parameter in self.model.parameters())

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
    (the stem stays pretrained). They are never frozen, whatever `strategy.freeze` and `strategy.tune` say.

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
    model = AdaptedModel(network, divided.cut, divided.stop)
    make_stochastic(model, strategy)
    model.narrow(tune(model, strategy, len(blocks) - divided.redrawn, seed))
    parts = trainable_parts(model, divided.redrawn)
    return Adapted(
        model=model,
        penalty=build_penalty(strategy.penalty, parts),
        groups=parameter_groups(parts, strategy),
        cut=divided.cut,
        num_blocks=len(blocks),
        redrawn=frozenset(parts.redrawn),
        stop=divided.stop,
        activation_penalty=build_activation_penalty(strategy.penalty, model, divided.redrawn),
    )


def trained_network(network: Network, strategy: Strategy, seed: int, state: dict[str, Tensor]) -> Network:
    """The plain network that a strategy has trained: what a bundle holds.

    Args:
        network: pretrained, with a head; it is changed in place.
        strategy: what it was trained by.
        seed: root seed of the trial.
        state: some `AdaptedModel.changing_state`, or every tensor of a plain network, as an average of several has.

    Raises:
        ArtifactError: the state is that of another network.
    """
    whole = dict(network.state_dict())
    if state.keys() == whole.keys():
        copy_tensors(whole, state, "model state")
        return network
    adapt(network, strategy, seed).model.load_changing_state(state)
    return merge_adapters(network)


def tune(model: AdaptedModel, strategy: Strategy, end: int, seed: int) -> list[nn.Module]:
    """Narrow what trains of the pretrained parts between the cut and block `end`; returns what stays in eval mode.

    Where no pretrained block trains there is nothing to narrow.

    Raises:
        SpecError: the tuning finds nothing in them that it could train.
    """
    parts = [
        part
        for part in model.network.parts()
        if part.role in ("stem", "block") and part.depth <= end and not is_below(part, model.cut)
    ]
    if not any(part.role == "block" for part in parts):
        return []
    still: list[nn.Module] = build(strategy.tune, parts, seed)
    return still
