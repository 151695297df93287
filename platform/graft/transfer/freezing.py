"""Freezing by depth: what lies below the cut is a constant function for the whole of training."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from graft.core.errors import ArtifactError
from graft.data.batch import FEATURES, RESTING, Batch
from graft.models.backbone import Hidden, unpacked
from graft.models.network import Network, Part


class AdaptedModel(nn.Module):
    """A network whose stem and first `cut` blocks are frozen.

    Frozen means more than ``requires_grad = False``: these modules stay in eval mode through every call of `train`, so
    batch-norm statistics do not move and dropout stays off. No parameter and no buffer below the cut changes by a bit.

    Above the cut, `narrow` leaves more as it is (`strategy.tune`), and `hold` does so for a time (`strategy.unfreeze`).

    Attributes:
        network: the wrapped model; the same object, so its weights are what training produces.
        cut: 0 freezes nothing; c >= 1 freezes the stem and ``blocks[:c]``.
        held: blocks, from the input, that do not train now; `cut` or more.
        rest: blocks, from the input, none of which trains while the head trains alone; `cut` or more.
    """

    def __init__(self, network: Network, cut: int, rest: int | None = None) -> None:
        super().__init__()
        num_blocks = len(network.backbone.blocks)
        if not 0 <= cut <= num_blocks:
            raise ValueError(f"cut is {cut}, but must be between 0 and the {num_blocks} blocks of the backbone")
        self.network = network
        self.cut = self.held = cut
        self.rest = max(cut, num_blocks if rest is None else rest)
        self._trained_above = num_blocks
        self._still: tuple[nn.Module, ...] = ()
        self._loaded: frozenset[str] = frozenset()
        self._replaced: frozenset[str] = frozenset()
        network.requires_grad_(True)
        for module in self.frozen_modules():
            module.requires_grad_(False)
        self.narrow(())
        self.train(network.training)

    def forward(self, batch: Mapping[str, Tensor] | Tensor) -> Tensor:
        """Outputs [B, K] of a batch: of samples, or of features, which are what the blocks below the cut give, or those
        that rest.

        No graph is recorded below the cut: nothing there needs a gradient.
        """
        stored = self._stored(batch)
        if stored is None:
            outputs: Tensor = self.network(batch)
            return outputs
        return self.network.above(*stored)

    @property
    def lowest_cut(self) -> int:
        """The lowest cut that these weights were ever trained with: `cut`, or that of a state that was loaded.

        What lies below it is as it was pretrained.
        """
        return min(self.cut, self._cut_of(self._loaded))

    def features(self, batch: Batch) -> Tensor:
        """Features [B, F] that the head is given, of a batch of samples, or of what the blocks below the cut give; the
        backbone is in eval mode from then on."""
        backbone = self.network.backbone.eval()
        stored = self._stored(batch)
        return backbone(batch) if stored is None else backbone.above(*stored)

    @property
    def is_pretrained_below(self) -> bool:
        """Whether everything below the cut is as it was pretrained, so that stored features are what it would give."""
        return self.cut > 0 and self.lowest_cut == self.cut

    @property
    def rests_as_pretrained(self) -> bool:
        """Whether the blocks that rest at first are as they were pretrained: no step has trained one of them, and no
        state that was loaded has had other values."""
        return self._trained_above >= self.rest and self._cut_of(self._replaced) >= self.rest

    def narrow(self, still: Iterable[nn.Module]) -> None:
        """Take what requires a gradient now as all that ever trains.

        Args:
            still: modules above the cut that stay in eval mode through every call of `train`.
        """
        self._still = tuple(still)
        self._own = frozenset(self._own_names())
        self.train(self.training)

    def hold(self, blocks: int) -> None:
        """Keep the stem and the first `blocks` blocks as they are until this is called again.

        They take no gradients and are in eval mode. Less than `cut` cannot be held.
        """
        self._trained_above = min(self._trained_above, max(blocks, self.cut))
        if blocks == self.held:
            return
        self.held = max(blocks, self.cut)
        for part in self.network.parts():
            for name, parameter in part.named_parameters().items():
                if name in self._own:
                    parameter.requires_grad_(not is_below(part, self.held))
        self.train(self.training)

    def train(self, mode: bool = True) -> "AdaptedModel":
        """Set the training mode of everything that trains; what is frozen stays in eval mode."""
        super().train(mode)
        for module in self.frozen_modules():
            module.eval()
        return self

    def frozen_modules(self) -> Iterator[nn.Module]:
        """The stem and the blocks that do not train now, and what `narrow` was given."""
        yield from (part.module for part in self.network.parts() if is_below(part, self.held))
        yield from self._still

    def changing_state(self) -> dict[str, Tensor]:
        """Parameters and buffers that training may have changed, by their names in the network; not copied.

        With a loaded state there may be more of them than this model trains: whoever trained them before could change
        them.
        """
        changed = self._own | self._loaded
        return {name: tensor for name, tensor in self._tensors().items() if name in changed}

    def load_changing_state(self, state: dict[str, Tensor]) -> None:
        """Copy the tensors of some `changing_state` into the network, bit for bit, keeping device and memory layout.

        The state may come from a strategy under which other weights trained. What it lacks keeps the values it has
        here: they are those of the state's model as long as this one was not trained. The head is always in it.

        Raises:
            ArtifactError: names or shapes are not those of this network; nothing has been copied then.
        """
        tensors = self._tensors()
        head = {name for part in self.network.parts() if part.role == "head" for name in part.state()}
        into = {name: tensors[name] for name in tensors if name in state or name in head}
        replaced = {name for name, tensor in into.items() if not _is_same(tensor, state.get(name))}
        copy_tensors(into, state, "model state")
        self._loaded |= state.keys() - self._own
        self._replaced |= replaced

    def _stored(self, batch: Mapping[str, Tensor] | Tensor) -> tuple[Hidden, int] | None:
        """What blocks have given already, and how many of them; None for samples."""
        if isinstance(batch, Tensor):
            return None
        backbone = self.network.backbone
        for name, cut in ((FEATURES, self.cut), (RESTING, self.rest)):
            if name in batch:
                is_pooled = cut == len(backbone.blocks)
                return unpacked(batch[name], backbone.is_sequential and not is_pooled), cut
        return None

    def _tensors(self) -> dict[str, Tensor]:
        return {name: tensor for part in self.network.parts() for name, tensor in part.state().items()}

    def _own_names(self) -> Iterator[str]:
        """What training may change: parameters that require a gradient, buffers of what is ever in training mode."""
        still = {id(module) for one in self._still for module in one.modules()}
        for part in self.network.parts():
            if is_below(part, self.cut):
                continue
            owners = dict(part.module.named_modules())
            for name, tensor in part.module.state_dict(keep_vars=True).items():
                is_parameter = isinstance(tensor, nn.Parameter)
                if tensor.requires_grad if is_parameter else id(owners[name.rpartition(".")[0]]) not in still:
                    yield f"{part.name}.{name}"

    def _cut_of(self, names: Iterable[str]) -> int:
        """The cut above which all of some names lie: their lowest block, or 0 with the stem."""
        found = frozenset(names)
        held = (
            0 if part.role == "stem" else part.depth - 1
            for part in self.network.parts()
            if part.role != "head" and not found.isdisjoint(part.state())
        )
        return min(held, default=len(self.network.backbone.blocks))


def is_below(part: Part, cut: int) -> bool:
    """Whether a cut freezes a part: the stem with any block, a block up to the cut, never the head."""
    return cut > 0 and part.role in ("stem", "block") and part.depth <= cut


def _is_same(tensor: Tensor, other: Tensor | None) -> bool:
    return other is not None and tensor.shape == other.shape and torch.equal(tensor, other.to(tensor))


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
