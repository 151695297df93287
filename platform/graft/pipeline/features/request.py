"""Which features are asked for: decided, and refused where they cannot be had, before anything is computed."""

from dataclasses import dataclass
from typing import Any

from graft.core.errors import Problem, SpecError
from graft.data.split import Split
from graft.modalities.registry import build_modality
from graft.models.info import BackboneInfo
from graft.models.load import check_backbone, describe_backbone
from graft.pipeline.resolve import resolve_job
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

ALL = "all"
SPLITS = (*(split.name.lower() for split in Split), ALL)


@dataclass(frozen=True)
class FeatureRequest:
    """What is to be extracted.

    Attributes:
        job: resolved; its data are stored so that the backbone can read them.
        strategy: the backbone, the size of its inputs, and the blocks that are computed as the frozen ones.
        cut: blocks that are computed, counted from the input.
        num_blocks: of the backbone; with all of them, the features are what a head is given.
        splits: of the samples.
    """

    job: Job
    strategy: Strategy
    cut: int
    num_blocks: int
    splits: tuple[Split, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all blocks are computed."""
        return self.cut == self.num_blocks

    @property
    def size(self) -> int:
        """Of the backbone's inputs, as their modality counts it."""
        return build_modality(self.job.data.modality).size(self.strategy)


def feature_request(job: Job, backbone: str | None = None, cut: int | None = None, split: str = ALL) -> FeatureRequest:
    """Decide what a job and its options ask for.

    Args:
        job: with its data; of its strategy only the backbones, the size of inputs and the precision matter. The largest
            size of the space is taken.
        backbone: any of the zoo; the job's own if left out.
        cut: how many blocks are computed; all if left out.
        split: ``train``, ``validation``, ``test`` or ``all``.

    Raises:
        SpecError: there is no such backbone, split or block, the backbone takes other samples, or the job names several
            backbones and none is chosen.
    """
    if split not in SPLITS:
        raise SpecError(f"--split is `{split}`, but must be one of {', '.join(SPLITS)}")
    name = backbone or _only_backbone(resolve_job(job).job)
    if problem := check_backbone(name):
        raise SpecError(problem)
    info = describe_backbone(name)
    resolved = resolve_job(_for_backbone(job, name)).job
    if cut is not None and not 1 <= cut <= info.num_blocks:
        raise SpecError(f"--cut is {cut}, but must be between 1 and the {info.num_blocks} blocks of {name}")
    blocks = cut or info.num_blocks
    splits = tuple(Split) if split == ALL else (Split[split.upper()],)
    return FeatureRequest(resolved, _strategy(resolved, name, blocks, info), blocks, info.num_blocks, splits)


def _only_backbone(job: Job) -> str:
    names = [str(name) for name in job.reach.values("backbone")]
    if len(names) > 1:
        told = f"is one of {', '.join(names)}, but features are those of one network; choose it with --backbone"
        raise SpecError([Problem("strategy.backbone", told)])
    return names[0]


def _for_backbone(job: Job, name: str) -> Job:
    """The job itself where it may choose the backbone, so that its dataset is the one that a run has made."""
    resolved = resolve_job(job).job
    if name in resolved.reach.values("backbone"):
        return resolved
    raw = resolved.model_dump(mode="json")
    raw["strategy"] = {**job.strategy.dump(), "backbone": name}
    return parse_job(raw)


def _strategy(job: Job, name: str, cut: int, info: BackboneInfo) -> Strategy:
    modality = build_modality(job.data.modality)
    sized: dict[str, Any] = dict(modality.sized(max(modality.sizes(job.reach_of(name)))))
    precision = job.strategy.values("precision")[0]
    return Strategy(backbone=name, freeze=cut / info.num_blocks, precision=precision, **sized)
