"""A backbone with weights that were mapped from a source, ready to be trained."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.core.seeds import derive_seed
from graft.modalities.registry import build_modality
from graft.models.info import BackboneInfo
from graft.models.load import LoadedBackbone, describe_backbone
from graft.models.mapping.report import Transplanted
from graft.models.mapping.rows import TokenRows
from graft.models.mapping.source import Opened, Source, find_source
from graft.models.mapping.transplant import MIN_COVERAGE, Growth, require_coverage, transplant
from graft.models.mapping.weights import named_backbone
from graft.models.weights.values import same_throughout, values_problem
from graft.spec.components.initialisation import Mapped
from graft.spec.registry import members

SHORT_DIGEST = 12


@dataclass(frozen=True)
class MappedBackbone:
    """A backbone that was filled from a source.

    Attributes:
        loaded: the network, and what it must be given.
        report: what became of every tensor.
        source: what it was filled from.
        opened: the source as it was read.
        size: of the inputs that the network was built for.
    """

    loaded: LoadedBackbone
    report: Transplanted
    source: Source
    opened: Opened
    size: int


def map_backbone(
    source: Source, target: str, size: int | None = None, min_coverage: float = MIN_COVERAGE
) -> MappedBackbone:
    """Build a backbone and fill it from a source; CPU, eval mode.

    Tensors that the source lacks are random, from a seed that depends on the target alone.

    Args:
        source: where the weights come from.
        target: name of the backbone; its own pretrained weights are not needed.
        size: of its inputs; None means the bundle's, or native.
        min_coverage: share of the parameters that the source must fill.

    Raises:
        SpecError: no such target, samples of another kind, another tokenizer, or another size than it takes.
        ArtifactError: the source is damaged, or fills less than it must.
    """
    info = describe_backbone(target)
    if problem := misfit(source, info):
        raise SpecError(problem)
    size = size or (source.bundle.spec.preprocessing.size if source.bundle else int(info.input.native_size))
    opened = source.open(size)
    _require_trained(source, opened)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(0, "mapped", info.architecture))
        backbone, names = named_backbone(info.architecture, size)
    done = transplant(opened.weights, backbone, names, Growth(tables=_tables(source, info)))
    remedy = "name another source or target, or allow less: `--min-coverage`, `min_coverage` of strategy.init"
    require_coverage(done, min_coverage, (f"source {source.name}", target), remedy)
    loaded = LoadedBackbone(backbone.eval(), replace(info, input=_input(source, info)), None)
    return MappedBackbone(loaded, _with_notes(done, source, opened), source, opened, size)


def misfit(source: Source, info: BackboneInfo) -> str | None:
    """Why a backbone cannot start from a source, as one sentence, as far as it shows without weights; None if it can.

    Raises:
        ArtifactError: the source is damaged.
    """
    if source.info is None:
        return None
    if source.info.modality != info.modality:
        takes = {kind: getattr(one, "takes", kind) for kind, one in members("modality").items()}
        return (
            f"source {source.name} takes {takes.get(source.info.modality, source.info.modality)}, but backbone "
            f"{info.name} takes {takes.get(info.modality, info.modality)}; name a source that takes the same"
        )
    theirs, ours = _tokens(source, info)
    if theirs and ours and theirs != ours:
        rows = TokenRows(theirs, ours)
        if rows.shared < MIN_COVERAGE * len(ours):
            return (
                f"the tokenizer of source {source.name} knows {rows.shared} of the {len(ours)} tokens of {info.name}, "
                f"but must know half of them; name a backbone that has its tokenizer"
            )
    return None


def require_digest(source: Source, digest: str) -> None:
    """Refuse a source that has changed since a job was begun.

    Raises:
        ArtifactError: it has, or it is gone.
    """
    found = source.digest()
    if digest and found != digest:
        raise ArtifactError(
            f"source {source.name} has digest {found[:SHORT_DIGEST]}…, but had {digest[:SHORT_DIGEST]}… when the "
            "experiment began; put it back, or start a new one with `graft run`"
        )


@functools.lru_cache(maxsize=4)
def mapped_backbone(init: Mapped, target: str, size: int) -> MappedBackbone:
    """The backbone of a strategy that starts from a source, mapped once in a process.

    Raises:
        SpecError: as for `map_backbone`.
        ArtifactError: the source is another one than when the job was begun, damaged, or fills too little.
    """
    source = find_source(init.source)
    require_digest(source, init.digest)
    return map_backbone(source, target, size, init.min_coverage)


def init_problem(init: Mapped, target: str) -> Problem | None:
    """Why a strategy cannot start so, as far as it shows without reading weights; None if it can."""
    try:
        told = misfit(find_source(init.source), describe_backbone(target))
    except (SpecError, ArtifactError) as error:
        told = str(error)
    return Problem("strategy.init", told) if told else None


def _require_trained(source: Source, opened: Opened) -> None:
    if problem := values_problem(opened.weights.state):
        raise ArtifactError(f"source {source.name} cannot be used: {problem}")


def _with_notes(report: Transplanted, source: Source, opened: Opened) -> Transplanted:
    """With what is said of an ensemble, and of matrices that hold one number throughout, if there are some."""
    notes = [*report.notes]
    if source.bundle is not None and source.bundle.members:
        count = 1 + len(source.bundle.members)
        notes.append(f"the source is an ensemble of {count} networks, of which the first is mapped")
    if same := same_throughout(opened.weights.state):
        found = f"{len(same)} matri{'x' if len(same) == 1 else 'ces'} of the source, such as `{same[0]}`, "
        notes.append(found + f"hold{'s' * (len(same) == 1)} one number throughout, from which nothing is learned")
    return replace(report, notes=tuple(notes))


def _tables(source: Source, info: BackboneInfo) -> TokenRows | None:
    theirs, ours = _tokens(source, info)
    return TokenRows(theirs, ours) if theirs and ours else None


def _tokens(source: Source, info: BackboneInfo) -> tuple[Mapping[str, int] | None, Mapping[str, int] | None]:
    """The vocabularies of both, where they are known."""
    modality = build_modality(info.modality)
    if source.info is None:
        return None, None
    if source.bundle is not None:
        theirs = modality.vocabulary(source.bundle.spec.preprocessing, Path(source.name))
    else:
        theirs = modality.vocabulary(source.info.input)
    return theirs, modality.vocabulary(info.input)


def _input(source: Source, info: BackboneInfo) -> object:
    if source.info is None:
        return info.input
    known = source.bundle.spec.preprocessing if source.bundle else source.info.input
    return build_modality(info.modality).given_to_mapped(info.input, known)
