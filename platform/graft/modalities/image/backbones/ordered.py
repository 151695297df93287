"""A network of timm taken apart into stem, blocks and pool, whatever its family, and proven to be the same network.

timm says which parameters belong together (`group_matcher`), not how to run a part of a network. Most networks are a
chain, though: run one after the other, their modules give what the network gives. Where that is so, bit for bit, the
modules are brought together into blocks; where it is not, the network is refused.
"""

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from graft.models.backbone import Backbone
from graft.models.deferred_compiler import deferred_compiler
from graft.models.structure.pooling import Pool

with deferred_compiler():
    from timm.models._manipulate import group_with_matcher

_CONTAINERS = (nn.Sequential, nn.ModuleList)


@dataclass(frozen=True)
class Parts:
    """A network as a chain of modules, by their names.

    Attributes:
        stem: before the first block.
        blocks: modules of each block, in the order of the forward pass.
        pool: behind the last block, without parameters.
        num_features: length of the feature vector.
        pools_itself: whether the last block takes a map, or tokens, and gives a vector.
        width_last: whether maps are [B, H, W, C].
        by_head: whether the last module is no module but what the network's `forward_head` does.
    """

    stem: tuple[str, ...]
    blocks: tuple[tuple[str, ...], ...]
    pool: tuple[str, ...]
    num_features: int
    by_head: bool = False
    pools_itself: bool = False
    width_last: bool = False

    def backbone(self, network: Any, field: str) -> Backbone:
        """The same network as a Backbone; takes its modules over."""
        head = _Head(network, self) if self.by_head else None
        *inner, last = (_chain(network, names) for names in self.blocks)
        pool = [network.get_submodule(name) for name in self.pool]
        if head is not None and any(True for _ in head.parameters()):
            last = nn.Sequential(last, *pool, head)
            pool = []
        elif head is not None:
            pool.append(head)
        between = Pool("avg", self.width_last) if self.pools_itself else None
        stem, blocks = _chain(network, self.stem), [*inner, last]
        return Backbone(stem, blocks, _one(pool), self.num_features, field, between, self.width_last)


def parts_of(network: Any, images: Tensor) -> Parts | None:
    """How a network is a chain of blocks; None if it is none.

    Args:
        network: with random weights, which are changed here: a norm that starts at zero would hide a wrong order.
        images: float [B, 3, R, R], of a size that it takes.
    """
    _bring_to_life(network, images)
    groups = _groups(network)
    with torch.inference_mode():
        expected = network(images)
        expandable = _expandable(network, images, groups)
    names = [name for name, _ in _units(network, expandable)]
    for by_head in (False, True):
        parts = _ordered(network, names, groups, expected.shape[-1], by_head)
        if parts is None:
            continue
        try:
            backbone = parts.backbone(network, "")
            with torch.inference_mode():
                given = backbone(images)
        except (RuntimeError, TypeError, AttributeError, ValueError, NotImplementedError):
            continue  # a module that takes something else than what the one before it gives
        is_whole = {*map(id, backbone.parameters())} == {*map(id, network.parameters())}
        if is_whole and given.shape == expected.shape and torch.equal(given, expected):
            return _with_shapes(parts, backbone, images)
    return None


@torch.inference_mode()
def _with_shapes(parts: Parts, backbone: Backbone, images: Tensor) -> Parts:
    """With what the shape of the last map tells."""
    hidden = backbone.below(images, len(backbone.blocks) - 1)
    made = backbone.through(hidden, [backbone.blocks[-1]])
    assert isinstance(hidden, Tensor)
    assert isinstance(made, Tensor)
    # Images are square, and so are their maps.
    width_last = hidden.ndim == 4 and hidden.shape[1] == hidden.shape[2] != hidden.shape[3]
    return replace(parts, pools_itself=made.ndim == 2 < hidden.ndim, width_last=width_last)


class _Head(nn.Module):
    """What a network does behind its last block, where that is written in its forward and in no module.

    Args:
        network: its modules are shared, except those that have run before.
        parts: of the network.
    """

    def __init__(self, network: Any, parts: Parts) -> None:
        super().__init__()
        used = {name.partition(".")[0] for names in (parts.stem, *parts.blocks, parts.pool) for name in names}
        self.network = copy.copy(network)
        kept = {name: module for name, module in network._modules.items() if name not in used}
        self.network._modules = kept
        self.network._parameters = {}

    def forward(self, hidden: Tensor) -> Tensor:
        """Features [B, D]."""
        features: Tensor = self.network.forward_head(hidden)
        return features


def _bring_to_life(network: nn.Module, images: Tensor) -> None:
    """Norms that are not 0 and 1 but fit the signal, so that a module skipped, doubled or swapped shows."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1:
            values = torch.rand(parameter.shape, generator=generator)
            parameter.data = values * 0.5 + (-0.25 if "bias" in name else 0.75)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.inference_mode():
        network.train()(images)
    network.eval()


def _groups(network: Any) -> dict[str, int]:
    """timm's number of the group of each parameter; the stem's is 0. Empty if timm has none for this family."""
    matcher = getattr(network, "group_matcher", None)
    if matcher is None:
        return {}
    found: dict[str, int] = group_with_matcher(network.named_parameters(), matcher(coarse=False), reverse=True)
    return found


def _expandable(network: nn.Module, images: Tensor, groups: dict[str, int]) -> frozenset[str]:
    """Stages that are chains themselves: what their children make of what they were given is what they gave."""
    candidates = {
        name: module
        for name, module in _units(network, frozenset())
        if len({group for parameter, group in groups.items() if parameter.startswith(f"{name}.")}) > 1
    }
    seen: dict[str, tuple[Any, Any]] = {}

    def note(name: str) -> Any:
        return lambda module, given, made: seen.__setitem__(name, (given, made))

    hooks = [module.register_forward_hook(note(name)) for name, module in candidates.items()]
    network(images)
    for hook in hooks:
        hook.remove()
    return frozenset(name for name, (given, made) in seen.items() if _is_chain(candidates[name], given, made))


def _is_chain(stage: nn.Module, given: tuple[Any, ...], made: Any) -> bool:
    if len(given) != 1 or not isinstance(given[0], Tensor) or not isinstance(made, Tensor):
        return False
    hidden = given[0]
    try:
        for _, module in _units(stage, frozenset()):
            hidden = module(hidden)
    except (RuntimeError, TypeError, NotImplementedError):
        return False
    return isinstance(hidden, Tensor) and hidden.shape == made.shape and torch.equal(hidden, made)


def _units(module: nn.Module, expandable: frozenset[str], prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Modules in the order they are registered, those of containers and stages one by one."""
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        stage = isinstance(getattr(child, "blocks", None), nn.Sequential) and path.count(".") < 2
        if type(child) in _CONTAINERS or path in expandable or (stage and _only_blocks(child)):
            yield from _units(child, expandable, f"{path}.")
        else:
            yield path, child


def _only_blocks(stage: nn.Module) -> bool:
    return set(dict(stage.named_children())) <= {"downsample", "blocks"}


def _ordered(
    network: nn.Module, names: Sequence[str], groups: dict[str, int], num_features: int, by_head: bool
) -> Parts | None:
    """The chain brought together into blocks: each ends with a module that is one of several of its kind."""
    bodies = _bodies(network, names, groups)
    if len(bodies) < 2:
        return None
    first, last = names.index(bodies[0]), names.index(bodies[-1])
    blocks: list[tuple[str, ...]] = []
    waiting: list[str] = []
    for name in names[first : last + 1]:
        waiting.append(name)
        if name in bodies:
            blocks.append(tuple(waiting))
            waiting = []
    tail = list(names[last + 1 :])
    if by_head:
        tail = [name for name in tail if not _is_of_head(name)]
    # What follows the last block and has parameters is a block, too; what has none behind it is the pool.
    with_params = [place for place, name in enumerate(tail) if _has_params(network.get_submodule(name))]
    end = with_params[-1] + 1 if with_params else 0
    if end:
        blocks.append(tuple(tail[:end]))
    return Parts(tuple(names[:first]), tuple(blocks), tuple(tail[end:]), num_features, by_head)


def _bodies(network: nn.Module, names: Sequence[str], groups: dict[str, int]) -> list[str]:
    """The modules that blocks are made around: of several layers, and elements of a list or of a kind that repeats.

    Where there are none, as in VGG, those that begin one of timm's groups.
    """
    modules = {name: network.get_submodule(name) for name in names}
    in_stem = {name for name in names if 0 in _groups_of(name, groups)}
    kinds = Counter(type(module) for module in modules.values())
    found = [
        name
        for name, module in modules.items()
        if name not in in_stem
        and any(_has_params(child) for child in module.children())
        and (name.rpartition(".")[2].isdigit() or kinds[type(module)] > 1)
    ]
    if len(found) > 1:
        return found
    begun: set[int] = {0}
    for name in names:
        own = _groups_of(name, groups) - begun
        if own:
            found.append(name)
            begun |= own
    return found


def _groups_of(name: str, groups: dict[str, int]) -> set[int]:
    return {group for parameter, group in groups.items() if parameter.startswith(f"{name}.")}


def _is_of_head(name: str) -> bool:
    return name.startswith(("head", "fc_norm", "global_pool", "attn_pool", "classifier", "flatten", "pool"))


def _has_params(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _chain(network: nn.Module, names: Sequence[str]) -> nn.Module:
    return _one([network.get_submodule(name) for name in names])


def _one(modules: Sequence[nn.Module]) -> nn.Module:
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)
