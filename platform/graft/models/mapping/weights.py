"""Weights with what is known of where they stand: names, the library's own names, and the units they belong to."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from graft.models.backbone import Backbone
from graft.models.libraries import library_for
from graft.models.mapping.heads import Heads, heads_of

COUNTER = re.compile(r"(^|\.)num_batches_tracked$")
_LAYER_SCALE = re.compile(r"(^|\.)(gamma|gamma_1|gamma_2|layer_scale)$")
_NUMBER = re.compile(r"\d+")
_LISTS = ("blocks", "block", "layers", "layer")


@dataclass(frozen=True)
class Weights:
    """A state dict and other names of its tensors.

    Attributes:
        state: tensors by name.
        own_names: what the library that wrote the network calls each, where that is another name.
        heads: of attention, by the start of the names; none where only a file is known.
    """

    state: Mapping[str, Tensor]
    own_names: Mapping[str, str] = field(default_factory=dict)
    heads: Mapping[str, Heads] = field(default_factory=dict)

    def by_own_name(self) -> dict[str, str]:
        """The name here of each name of the library."""
        return {self.own_names.get(name, name): name for name in self.state}

    def units(self) -> list[list[str]]:
        """Names by the unit of the network that they belong to, in order: stem, blocks, what follows."""
        is_backbone = all(name.startswith(("stem.", "blocks.")) for name in self.state)
        found: list[tuple[str, list[str]]] = []
        for name in self.state:
            unit = ".".join(name.split(".")[: 1 if name.startswith("stem.") else 2]) if is_backbone else unit_of(name)
            if not found or found[-1][0] != unit:
                found.append((unit, []))
            found[-1][1].append(name)
        return [names for _, names in found]


def weights_of(backbone: nn.Module, own_names: Mapping[str, str] | None = None) -> Weights:
    """The weights of a network."""
    return Weights(backbone.state_dict(), own_names or {}, heads_of(backbone))


def named_backbone(architecture: str, size: int | None = None) -> tuple[Backbone, dict[str, str]]:
    """A Backbone with random weights, and its library's own name of each of its tensors.

    Args:
        architecture: ``<library>/<architecture>``.
        size: of its inputs; None means native.

    Raises:
        SpecError: it is not known, not supported, or cannot work at this size.
    """
    library, name = library_for(architecture)
    network = library.create(name)
    own = {id(tensor): given for given, tensor in _tensors(network)}
    backbone = library.wrap(network, size)
    names = {name: own[id(tensor)] for name, tensor in _tensors(backbone) if id(tensor) in own}
    # A position embedding for another size is a new tensor; it is still the only one of its name.
    left = sorted(set(own.values()) - set(names.values()))
    for name, _ in _tensors(backbone):
        fits = [given for given in left if name not in names and name.endswith(f".{given}")]
        if len(fits) == 1:
            names[name] = fits[0]
    return backbone, names


def unit_of(name: str) -> str:
    """The block that a tensor belongs to: ``layer1.0``, ``blocks.3.1``, ``encoder.layer.5``; empty if it stands alone.

    The name up to its first number, with a second one that follows at once or behind another list's name.
    """
    parts = name.split(".")
    if parts[0] == "stem":
        return "stem"
    first = next((index for index, part in enumerate(parts[:-1]) if _NUMBER.fullmatch(part)), None)
    if first is None:
        return ""
    end = first
    if end + 2 < len(parts) and _NUMBER.fullmatch(parts[end + 1]):
        end += 1
    elif end + 3 < len(parts) and parts[end + 1] in _LISTS and _NUMBER.fullmatch(parts[end + 2]):
        end += 2
    return ".".join(parts[: end + 1])


def leaf_of(name: str) -> str:
    """The last part of a name: weight, bias, running_mean, …"""
    return name.rpartition(".")[2]


def is_scale(name: str) -> bool:
    """Whether a tensor scales a branch, so that 1 is what a network without it has."""
    return bool(_LAYER_SCALE.search(name))


def _tensors(module: nn.Module) -> Iterable[tuple[str, Tensor]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)
