"""A backbone with fewer blocks, with another pooling, or grown without a change of its function."""

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from graft.core.errors import Problem, SpecError
from graft.models.backbone import Backbone
from graft.models.libraries import library_for
from graft.models.mapping.growth import closing_tensors, is_post_norm
from graft.models.operations import Cost
from graft.models.structure.pooling import Pool
from graft.models.structure.stages import stages_of
from graft.models.structure.widened import require_branches, widened
from graft.spec.components.skip import Depth
from graft.spec.components.structure import Structure


def edited(backbone: Backbone, structure: Structure, architecture: str) -> Backbone:
    """The backbone that a structure makes of another one; where it edits nothing, that one itself.

    The features come from the last block that there is. They are pooled as the backbone does it, for which a network
    whose last block pools by itself says how its other blocks are pooled (`Backbone.pool_between`).

    Args:
        backbone: its modules are in both; whoever trains both copies one of them.
        structure: what is left.
        architecture: ``<library>/<architecture>`` of the backbone.

    Raises:
        SpecError: its last block pools by itself, and another pooling is wanted of it; or nothing says how to pool.
    """
    if structure == Structure():
        return backbone
    depth = depth_of(architecture)
    places = structure.blocks(depth)
    last = places[-1]
    shape = stages_of(architecture)[last + 1].shape
    twin = copy.copy(backbone)
    twin._modules = dict(backbone._modules)
    blocks = _wider(backbone, structure, architecture)
    twin.blocks = nn.ModuleList(
        _identity(blocks[place], architecture) if place == before else blocks[place]
        for before, place in zip((None, *places), places, strict=False)
    )
    is_whole = last == depth.num_blocks - 1
    if structure.pool != "own":
        check_pool(structure, architecture)
        twin.pool = Pool(structure.pool, backbone.width_last)
    elif not is_whole and backbone.pool_between is not None:
        twin.pool = backbone.pool_between
    if not (is_whole and structure.pool == "own"):
        width = shape[0] if len(shape) == 3 and not backbone.width_last else shape[-1]
        twin.num_features = width * (twin.pool.factor() if isinstance(twin.pool, Pool) else 1)
    return twin


def depth_of(architecture: str) -> Depth:
    """The blocks of an architecture, and which of them can be left out: those that compute something, and give what
    they take in shape; the network is laid out at its native size for that."""
    stages = stages_of(architecture)
    residual = tuple(
        place
        for place, (before, own) in enumerate(pairwise(stages))
        if own.cost.multiply_adds and own.shape == before.shape
    )
    return Depth(len(stages) - 1, residual)


@dataclass(frozen=True)
class Edit:
    """What a structure makes of a backbone's cost.

    Attributes:
        before: of the whole backbone.
        after: of the edited one.
    """

    before: Cost
    after: Cost


@functools.lru_cache(maxsize=256)
def edit_of(architecture: str, structure: Structure, size: int) -> Edit:
    """What an edit costs and saves; no weights are read.

    Raises:
        SpecError: the architecture cannot work at this size, or cannot be edited so.
    """
    stages = stages_of(architecture, size)
    before = sum((stage.cost for stage in stages), Cost(0, 0))
    places = structure.blocks(depth_of(architecture))
    left = stages if structure.widen == 1 else stages_of(architecture, size, structure.widen)
    return Edit(before, sum((left[place + 1].cost for place in places), left[0].cost))


def check_deepen(architecture: str, name: str = "") -> None:
    """Whether residual blocks of an architecture can be followed by copies that change nothing.

    Args:
        architecture: ``<library>/<architecture>``.
        name: what messages call it; the architecture if left out.

    Raises:
        SpecError: they cannot.
    """
    backbone = _on_meta(architecture)
    for place in depth_of(architecture).residual or ():
        _identity(backbone.blocks[place], name or architecture)


def check_widen(architecture: str, name: str = "") -> None:
    """Whether some block of an architecture can be wider inside.

    Args:
        architecture: ``<library>/<architecture>``.
        name: what messages call it; the architecture if left out.

    Raises:
        SpecError: none can.
    """
    require_branches(_on_meta(architecture).blocks, name or architecture)


def _on_meta(architecture: str) -> Backbone:
    library, name = library_for(architecture)
    with torch.device("meta"):
        return library.wrap(library.create(name))


def _wider(backbone: Backbone, structure: Structure, architecture: str) -> Sequence[nn.Module]:
    """The blocks, wider inside where the structure says so; by its place, so that a copy of one is as wide."""
    if structure.widen == 1:
        return list(backbone.blocks)
    require_branches(backbone.blocks, architecture)
    return [widened(block, structure.widen, seed=place) for place, block in enumerate(backbone.blocks)]


def _identity(block: nn.Module, name: str) -> nn.Module:
    """A copy of a residual block whose last layers give 0 (Net2DeeperNet), so that it gives back what it takes."""
    twin = copy.deepcopy(block)
    closing = closing_tensors(twin)
    if not closing or is_post_norm(twin):
        why = "in which a norm follows the sum" if closing else "which have no last layer that could give 0"
        told = f"puts copies behind blocks of {name}, {why}, so they would change its function; leave it out"
        raise SpecError([Problem("strategy.structure.deepen", told)])
    named = dict(twin.named_parameters())
    with torch.no_grad():
        for one in closing:
            named[one].zero_()
    return twin


def check_pool(structure: Structure, architecture: str, name: str = "") -> None:
    """Whether the pooling of a structure has something to pool.

    Raises:
        SpecError: the last block pools by itself.
    """
    last = structure.blocks(depth_of(architecture))[-1]
    if structure.pool != "own" and len(stages_of(architecture)[last + 1].shape) < 2:
        told = f"is {structure.pool}, but the last block of {name or architecture} pools by itself"
        raise SpecError([Problem("strategy.structure.pool", f"{told}; leave it out, or drop that block with keep")])
