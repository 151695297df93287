"""What a network makes of a batch on the way, for penalties that look at it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from graft.data.batch import Batch
from graft.models.backbone import Masked
from graft.models.network import Network
from graft.spec.components.activation_penalty import ActivationPenaltySpec
from graft.spec.components.penalty import PenaltySpec
from graft.spec.registry import build
from graft.transfer.freezing import AdaptedModel


@dataclass
class Activations:
    """What one forward pass has given so far.

    Attributes:
        blocks: outputs of the blocks that were asked for, by index: maps [B, C, H, W] or [B, H, W, C], or states
            [B, L, D].
        mask: bool [B, L], which states belong to a text; None where there are none.
        features: what the head was given, [B, F].
    """

    blocks: dict[int, Tensor] = field(default_factory=dict)
    mask: Tensor | None = None
    features: Tensor | None = None

    @property
    def pooled(self) -> Tensor:
        """The features; a forward pass must have come before."""
        if self.features is None:
            raise RuntimeError("no features were seen, but a forward pass must have come before")
        return self.features


@dataclass(frozen=True)
class Examples:
    """Training samples that a penalty may look at before the first step; the same in every rank, and after a resume.

    Attributes:
        batches: gives them, not augmented, with their targets as the task has read them.
        source_head: the head that the backbone was pretrained with; raises where there is none.
    """

    batches: Callable[[], Iterable[tuple[Batch, np.ndarray]]]
    source_head: Callable[[], nn.Linear]


class ActivationPenalty(Protocol):
    """A term of a batch's loss. It keeps nothing that training changes, so it is in no saved state."""

    blocks: Sequence[int]
    """Indices of the blocks whose outputs it looks at."""

    def follow_weights(self) -> None:
        """Bring what is kept beside the model to where that is now, after it was moved."""
        ...

    def fit(self, examples: Examples) -> None:
        """Learn from training samples what it has to, before the first step."""
        ...

    def term(self, inputs: Batch, targets: Tensor, seen: Activations) -> Tensor:
        """The term of a part of a batch, a scalar.

        Args:
            inputs: of the part, B samples.
            targets: of the part, [B, …].
            seen: what the model has made of it.
        """
        ...


def build_activation_penalty(spec: PenaltySpec, model: AdaptedModel, redrawn: int) -> ActivationPenalty | None:
    """The part of a penalty that looks at activations; None where it has none, or where none are trained.

    Args:
        spec: the penalty of the strategy.
        model: with the pretrained weights.
        redrawn: how many of its last blocks start at random.

    Raises:
        SpecError: it is another package's, and cannot be built.
    """
    num_blocks = len(model.network.backbone.blocks)
    if redrawn:
        spec = spec.on_new_features()  # as the canonical form of the strategy has it
    if not isinstance(spec, ActivationPenaltySpec) or model.cut == num_blocks:
        return None
    penalty: ActivationPenalty = build(spec, model, range(model.cut, num_blocks - redrawn))
    return penalty


@contextmanager
def watching(network: Network, blocks: Iterable[int]) -> Iterator[Activations]:
    """A context in which a forward pass of the network leaves what it makes of a batch.

    Args:
        network: is called in the context, once.
        blocks: indices of the blocks to look at.
    """
    seen = Activations()

    def keep_block(index: int) -> Callable[..., None]:
        def keep(_: nn.Module, __: Any, output: Any) -> None:
            seen.blocks[index] = _states(output)

        return keep

    def keep_mask(_: nn.Module, given: tuple[Any, ...]) -> None:
        seen.mask = given[0].mask if isinstance(given[0], Masked) else None

    def keep_features(_: nn.Module, given: tuple[Any, ...]) -> None:
        seen.features = given[0]

    with ExitStack() as hooks:
        for index in blocks:
            hooks.callback(network.backbone.blocks[index].register_forward_hook(keep_block(index)).remove)
        hooks.callback(network.backbone.pool.register_forward_pre_hook(keep_mask).remove)
        hooks.callback(network.head.register_forward_pre_hook(keep_features).remove)
        yield seen


def _states(output: Any) -> Tensor:
    """The states among what a block gives: a layer of an encoder may give more."""
    if isinstance(output, Mapping):
        output = next(iter(output.values()))
    states = output.states if isinstance(output, Masked) else output
    while not isinstance(states, Tensor):
        states = states[0]
    return states
