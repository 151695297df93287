"""From a backbone's name to the network with its pretrained weights. Torch is imported only when a network is built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graft.core.errors import ArtifactError, SpecError
from graft.models.info import BackboneInfo
from graft.models.zoo import ZOO, ZooEntry, find_entry
from graft.spec.components.skip import Depth
from graft.spec.components.structure import Structure
from graft.spec.strategy import Strategy

if TYPE_CHECKING:
    from torch import nn

    from graft.models.backbone import Backbone
    from graft.models.weight_mapping import MappingReport


@dataclass(frozen=True)
class LoadedBackbone:
    """A network, the facts about it, and how its weights were mapped (None when they are random)."""

    backbone: Backbone
    info: BackboneInfo
    report: MappingReport | None


def load_backbone(name: str, size: int | None = None, pretrained: bool = True) -> LoadedBackbone:
    """Build a backbone and fill it with its pretrained weights; CPU, eval mode.

    Args:
        name: a bundled name, ``timm:…``, ``torchvision:…`` or ``local:library/architecture:path``.
        size: of its inputs, as its modality counts it (pixels a side, to which a vision transformer's position
            embedding is resampled; tokens); None means native.
        pretrained: False leaves the weights random, drawn from torch's global generator.

    Raises:
        SpecError: no such name, or the architecture cannot work at this size.
        ArtifactError: the weights are missing, damaged, or do not fit the architecture.
    """
    import torch

    from graft.models.libraries import library_for

    entry = find_entry(name)
    library, architecture = library_for(entry.architecture)
    # The random values are overwritten: drawing them must not move the caller's random numbers.
    with torch.random.fork_rng(devices=[], enabled=pretrained):
        network = library.create(architecture)
    report = _fill(network, entry, name) if pretrained else None
    backbone = library.wrap(network, size).eval()
    return LoadedBackbone(backbone, describe_backbone(name), report)


def describe_backbone(name: str) -> BackboneInfo:
    """The facts about a backbone; its weights are not read, and for a bundled name torch is not imported.

    Raises:
        SpecError: no such name.
    """
    entry = find_entry(name)
    if entry.info is not None:
        return replace(entry.info, name=name)
    from graft.models.libraries import library_for

    library, architecture = library_for(entry.architecture)
    return replace(library.describe(architecture), name=name)


def depth_of_backbone(name: str, structure: Structure | None = None) -> Depth:
    """The blocks of a backbone; which of them are residual only where a structure asks for it, as that takes torch.

    Raises:
        SpecError: no such name.
    """
    info = describe_backbone(name)
    known = Depth(info.num_blocks, is_headless=info.source_head is False)
    if not info.num_params:
        return replace(known, residual=(), is_fixed=True)
    if structure is None or not structure.asks_for_residual:
        return known
    from graft.models.structure.edited import depth_of

    return replace(known, residual=depth_of(info.architecture).residual)


def known_depth(strategy: Strategy) -> Depth | None:
    """The blocks of a strategy's backbone, as far as they are known without a library of networks; None if not.

    Raises:
        SpecError: there is no such backbone.
    """
    is_known = find_entry(strategy.backbone).info is not None and not strategy.structure.asks_for_residual
    return depth_of_backbone(strategy.backbone) if is_known else None


def canonical(strategy: Strategy) -> Strategy:
    """The form in which trials train it: with the depth of its backbone.

    Raises:
        SpecError: there is no such backbone.
    """
    return strategy.canonical(depth_of_backbone(strategy.backbone, strategy.structure))


def blocks_of(name: str, structure: Structure) -> tuple[int, ...]:
    """Places of the blocks that a structure leaves of a backbone.

    Raises:
        SpecError: no such name.
    """
    return structure.blocks(depth_of_backbone(name, structure))


def check_backbone(name: str, weights: bool = True) -> str | None:
    """Why a backbone cannot be loaded, as one sentence, as far as it shows without reading weights; None if it can.

    Args:
        name: of the backbone.
        weights: whether its own pretrained weights are needed.
    """
    try:
        entry = find_entry(name)
        if entry.info is None:
            describe_backbone(name)
    except SpecError as error:
        return str(error)
    problem = entry.weights.problem() if weights else None
    return f"backbone `{name}`: {problem}" if problem else None


def size_problem(name: str, size: int) -> str | None:
    """Why a backbone cannot take inputs of a size, to follow the name of the key, with those it can; None if it can.

    Args:
        name: of the backbone.
        size: as its modality counts it.

    Raises:
        SpecError: no such name.
    """
    entry = find_entry(name)
    if entry.takes_any_size:
        return None
    from graft.models.libraries import library_for

    library, architecture = library_for(entry.architecture)
    return library.size_problem(architecture, size)


def weights_version(name: str) -> str:
    """Changes when other weights have come under the same name; they are not read.

    Raises:
        SpecError: no such name.
    """
    return find_entry(name).weights.version()


def backbone_names() -> tuple[str, ...]:
    """The names that need no colon: bundled ones and those of plug-ins, whether their package is installed or not."""
    return ZOO.names()


def _fill(network: nn.Module, entry: ZooEntry, name: str) -> MappingReport:
    from graft.models.mapping_rules import RULES, choose_rule
    from graft.models.weight_mapping import MappingRule, map_state_dict
    from graft.models.weights.values import values_problem

    source, target = entry.weights.state_dict(), network.state_dict()
    try:
        rule: MappingRule = RULES.get(entry.rule) if entry.rule else choose_rule(source, target)
        mapped, report = map_state_dict(source, target, rule)
    except ArtifactError as error:
        raise ArtifactError(f"backbone `{name}`: {error}") from error
    if problem := values_problem(mapped):
        raise ArtifactError(f"backbone `{name}`: {problem}")
    network.load_state_dict(mapped, strict=True)
    return report
