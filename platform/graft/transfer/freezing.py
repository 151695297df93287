"""Freezing by depth: what lies below the cut is a constant function for the whole of training."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from graft.core.errors import ArtifactError
from graft.data.batch import FEATURES
from graft.models.backbone import unpacked
from graft.models.network import Network, Part


class AdaptedModel(nn.Module):
    """A network whose stem and first `cut` blocks are frozen.

    Frozen means more than ``requires_grad = False``: these modules stay in eval mode through every call of `train`, so
    batch-norm statistics do not move and dropout stays off. No parameter and no buffer below the cut changes by a bit.

    Attributes:
        network: the wrapped model; the same object, so its weights are what training produces.
        cut: 0 freezes nothing; c >= 1 freezes the stem and ``blocks[:c]``.
        lowest_cut: the lowest cut that these weights were ever trained with: `cut`, or that of a state that was loaded.
            What lies below it is as it was pretrained.
    """

    def __init__(self, network: Network, cut: int) -> None:
        super().__init__()
        num_blocks = len(network.backbone.blocks)
        if not 0 <= cut <= num_blocks:
            raise ValueError(f"cut is {cut}, but must be between 0 and the {num_blocks} blocks of the backbone")
        self.network = network
        self.cut = self.lowest_cut = cut
        network.requires_grad_(True)
        for module in self.frozen_modules():
            module.requires_grad_(False)
        self.train(network.training)

    def forward(self, batch: Mapping[str, Tensor] | Tensor) -> Tensor:
        """Outputs [B, K] of a batch: of samples, or of features, which are what the blocks below the cut give.

        No graph is recorded below the cut: nothing there needs a gradient.
        """
        if isinstance(batch, Tensor) or FEATURES not in batch:
            outputs: Tensor = self.network(batch)
            return outputs
        is_pooled = self.cut == len(self.network.backbone.blocks)
        is_sequence = self.network.backbone.is_sequential and not is_pooled
        return self.network.above(unpacked(batch[FEATURES], is_sequence), self.cut)

    @property
    def is_pretrained_below(self) -> bool:
        """Whether everything below the cut is as it was pretrained, so that stored features are what it would give."""
        return self.cut > 0 and self.lowest_cut == self.cut

    def train(self, mode: bool = True) -> "AdaptedModel":
        """Set the training mode of everything above the cut; what is frozen stays in eval mode."""
        super().train(mode)
        for module in self.frozen_modules():
            module.eval()
        return self

    def frozen_modules(self) -> Iterator[nn.Module]:
        """The stem and the blocks below the cut; nothing when the cut is 0."""
        yield from (part.module for part in self.network.parts() if is_below(part, self.cut))

    def changing_state(self) -> dict[str, Tensor]:
        """Parameters and buffers that training may have changed, by their names in the network; not copied.

        With a loaded state these may lie below `cut`: whoever trained them before could change them.
        """
        return self._above(self.lowest_cut)

    def load_changing_state(self, state: dict[str, Tensor]) -> None:
        """Copy the tensors of some `changing_state` into the network, bit for bit, keeping device and memory layout.

        The state may come from another cut. If that was higher, what the state lacks keeps the values it has here: they
        are those of the state's model as long as this one was not trained.

        Raises:
            ArtifactError: names or shapes are not those of this network above any cut.
        """
        cut = self._cut_of(state)
        copy_tensors(self._above(cut), state, "model state")
        self.lowest_cut = min(self.lowest_cut, cut)

    def _above(self, cut: int) -> dict[str, Tensor]:
        parts = (part for part in self.network.parts() if not is_below(part, cut))
        return {name: tensor for part in parts for name, tensor in part.state().items()}

    def _cut_of(self, state: Mapping[str, Tensor]) -> int:
        """The cut above which a state lies: its lowest block, or 0 with the stem."""
        held = (
            0 if part.role == "stem" else part.depth - 1
            for part in self.network.parts()
            if part.role != "head" and any(name in state for name in part.state())
        )
        return min(held, default=len(self.network.backbone.blocks))


def is_below(part: Part, cut: int) -> bool:
    """Whether a cut freezes a part: the stem with any block, a block up to the cut, never the head."""
    return cut > 0 and part.role in ("stem", "block") and part.depth <= cut


def copy_tensors(into: dict[str, Tensor], source: dict[str, Tensor], what: str) -> None:
    """Copy every tensor of `source` into its namesake, in place.

    Raises:
        ArtifactError: the names or the shapes differ; nothing has been copied then.
    """
    odd = sorted(into.keys() ^ source.keys())
    odd += [name for name in into if name in source and into[name].shape != source[name].shape]
    if odd:
        shown = ", ".join(f"`{name}`" for name in odd[:3]) + (", …" if len(odd) > 3 else "")
        raise ArtifactError(
            f"{what} has {len(odd)} tensors that do not fit ({shown}), but must come from the same model; "
            "start this training again"
        )
    with torch.no_grad():
        for name, tensor in into.items():
            tensor.copy_(source[name])
