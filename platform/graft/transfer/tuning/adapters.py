"""Adapters: small layers around pretrained ones that stay as they are, merged into them at the end.

The layers are thin ones of our own. peft covers transformers, but convolutions only in part, and needs the names of its
targets to be given for most image networks.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from graft.core.errors import Problem, SpecError
from graft.core.seeds import derive_seed
from graft.models.network import Network, Part
from graft.spec.components.tuning import LowRank, Rescaling
from graft.transfer.tuning.selected import with_statistics

# Layers whose output is linear in their weight. Not every subclass is: some standardise it first, and torch's attention
# reads the weights of its projection without calling the layer.
_LINEAR = frozenset(("Linear", "Conv2d", "Conv2dSame", "SmallMapConv2d", "SmallMapConv2dSame"))


class Adapter(nn.Module):
    """A layer with an adapter; the layer itself is not trained.

    Attributes:
        base: the pretrained layer, linear or a convolution.
    """

    base: nn.Linear | nn.Conv2d

    def __init__(self, base: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        self.base = base

    @property
    def weight(self) -> Tensor:
        """Whoever asks for the weight means to go around the adapter.

        Raises:
            SpecError: always.
        """
        told = "is put on a layer whose weights the network reads without calling it; name other `targets`"
        raise SpecError([Problem("strategy.tune", told)])

    def merged(self) -> nn.Module:
        """The layer alone, its weights changed so that it gives what both gave."""
        raise NotImplementedError


class LowRankAdapter(Adapter):
    """h = W₀x + (α / r) · B A x (Hu et al., LoRA, ICLR 2022, their equation 3).

    A is `down` [r, in], drawn as torch draws linear layers; B is `up` [out, r], zero, so that training starts at the
    pretrained function. Of a k × k convolution A is a k × k convolution to r channels, B a 1 × 1 one.
    """

    def __init__(self, base: nn.Linear | nn.Conv2d, spec: LowRank) -> None:
        super().__init__(base)
        weight = base.weight
        self.scale = spec.alpha / spec.rank
        # A layer of the kind of the base pads and strides as the base does.
        self.down = copy.deepcopy(base)
        self.down.bias = None
        self.down.weight = nn.Parameter(weight.new_empty(spec.rank, *weight.shape[1:]))
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        is_linear = isinstance(base, nn.Linear)
        ends = (spec.rank, len(weight))
        self.up = nn.Linear(*ends, bias=False) if is_linear else nn.Conv2d(*ends, 1, bias=False)
        nn.init.zeros_(self.up.weight)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """What the base takes to what it gives."""
        change: Tensor = self.up(self.down(self.dropout(x)))
        given: Tensor = self.base(x)
        return given + self.scale * change

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """W₀ + (α / r) · B A."""
        up, down = self.up.weight.flatten(1).double(), self.down.weight.flatten(1).double()
        weight = self.base.weight
        weight.copy_(weight.double() + self.scale * (up @ down).reshape(weight.shape))
        return self.base


class RescaledLayer(Adapter):
    """l ⊙ (W x + b), with one l for each output or channel (Liu et al., IA³, NeurIPS 2022, section 3.3); l starts at 1.

    The paper scales the keys and values of attention, and what lies between the two layers of the feed-forward. Which
    layers are scaled is said by `targets` here, and a feed-forward is scaled before its activation.
    """

    def __init__(self, base: nn.Linear | nn.Conv2d) -> None:
        super().__init__(base)
        self.scale = nn.Parameter(base.weight.new_ones(len(base.weight)))

    def forward(self, x: Tensor) -> Tensor:
        """What the base takes to what it gives."""
        given: Tensor = self.base(x)
        return given * (self.scale if isinstance(self.base, nn.Linear) else self.scale[:, None, None])

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """diag(l) W and l ⊙ b."""
        weight, bias = self.base.weight, self.base.bias
        weight.mul_(self.scale.view(-1, *(1 for _ in weight.shape[1:])))
        if bias is not None:
            bias.mul_(self.scale)
        return self.base


def low_rank(spec: LowRank, parts: Sequence[Part], seed: int) -> list[nn.Module]:
    """Put adapters of low rank on the layers that `targets` names; their parameters are all that trains.

    Raises:
        SpecError: a target matches no layer that can have one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "adapters"))
        return _adapt(parts, spec.targets, lambda base: LowRankAdapter(base, spec), _is_dense)


def rescaling(spec: Rescaling, parts: Sequence[Part], seed: int) -> list[nn.Module]:
    """Put a scale on the outputs of the layers that `targets` names; grouped convolutions can have one too.

    Raises:
        SpecError: a target matches no layer that can have one.
    """
    return _adapt(parts, spec.targets, RescaledLayer, lambda layer: True)


def adapters_of(module: nn.Module) -> Iterator[tuple[str, Adapter]]:
    """The adapters within a module, by name."""
    return ((name, one) for name, one in module.named_modules() if isinstance(one, Adapter))


def merge_adapters(network: Network) -> Network:
    """Put every adapter into the layer it is on, in place: the network is then the plain one that a bundle holds."""
    for name, adapter in list(adapters_of(network)):
        network.set_submodule(name, adapter.merged(), strict=True)
    return network.requires_grad_(True)


def _adapt(
    parts: Sequence[Part],
    targets: Sequence[str],
    build: Callable[[nn.Linear | nn.Conv2d], Adapter],
    can_have_one: Callable[[nn.Linear | nn.Conv2d], bool],
) -> list[nn.Module]:
    """Replace the layers by adapters around them; returns what keeps its statistics."""
    layers = [
        (part, name, module)
        for part in parts
        for name, module in part.module.named_modules()
        if name
        and type(module).__name__ in _LINEAR
        and isinstance(module, nn.Linear | nn.Conv2d)
        and can_have_one(module)
    ]
    _require_matches(targets, [name for _, name, _ in layers])
    for part in parts:
        part.module.requires_grad_(False)
    for part, name, layer in layers:
        if not targets or any(_matches(target, name) for target in targets):
            part.module.set_submodule(name, build(layer), strict=True)
    return with_statistics(parts)


def _is_dense(layer: nn.Linear | nn.Conv2d) -> bool:
    return isinstance(layer, nn.Linear) or layer.groups == 1


def _matches(target: str, name: str) -> bool:
    """Whether the last parts of a name are those of a target."""
    return fnmatchcase(name, target) or fnmatchcase(name, f"*.{target}")


def _require_matches(targets: Sequence[str], names: Sequence[str]) -> None:
    lost = [target for target in targets if not any(_matches(target, name) for name in names)]
    if not lost and names:
        return
    known = ", ".join(f"`{name}`" for name in list(dict.fromkeys(names))[:12]) or "none at all"
    what = f"names the target `{lost[0]}`, which matches no layer" if lost else "finds no layer"
    told = f"{what} that can have an adapter in the blocks that train; there are {known}"
    raise SpecError([Problem("strategy.tune.targets", told)])
