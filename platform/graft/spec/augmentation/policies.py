"""`strategy.augment` for pictures: policies of the literature, and one put together by hand.

All have the same three knobs: `magnitude` (0 does nothing), `share` of the samples that are changed, and `views`. Each
first takes the mirror images that `data.flip` allows, as the trainings of all these papers do, and turns no sample
further than `data.rotation` allows.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from graft.spec.augmentation.operations import NamedOperation, Operation
from graft.spec.base import Share
from graft.spec.components.augmentation import Augmentation
from graft.spec.modalities.base import DataSpec


class Policy(Augmentation):
    """What all policies have in common."""

    modality: ClassVar[str | None] = "image"
    magnitude: Share = Field(1.0, description="How strong the changes are; 0 does nothing.")
    share: Share = Field(1.0, description="Share of the samples of an epoch that are augmented.")
    views: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description="Augmented versions of each sample that epochs rotate through, so that frozen blocks see each "
        "only once; new ones in every epoch if left out.",
    )

    @property
    def num_views(self) -> int | None:
        """As many as are stored; none without magnitude or share."""
        return 0 if 0 in (self.magnitude, self.share) else self.views


class TrivialAugment(Policy):
    """One operation a sample, drawn evenly, of a strength drawn evenly.

    TrivialAugment (Müller and Hutter, ICCV 2021) in its wide space: the paper's strength m is drawn from 0 to
    `magnitude`, where 1 is the paper's 30.
    """

    kind: Literal["trivial"] = "trivial"
    built_by: ClassVar[str] = "graft.modalities.image.augment.policies:trivial"


class RandAugment(Policy):
    """Several operations a sample, drawn evenly, all of one strength.

    RandAugment (Cubuk et al., NeurIPS 2020): N is `operations`, M is 30 times `magnitude`; the default is the paper's
    N = 2, M = 9.
    """

    kind: Literal["rand"] = "rand"
    built_by: ClassVar[str] = "graft.modalities.image.augment.policies:rand"
    magnitude: Share = Field(0.3, description="How strong the changes are; the paper's M, divided by 30.")
    operations: int = Field(2, ge=1, le=8, description="Operations for each sample; the paper's N.")


class AutoAugment(Policy):
    """One of 25 learned pairs of operations a sample, each with its probability and strength.

    AutoAugment (Cubuk et al., CVPR 2019), the policies that its tables list; `magnitude` multiplies their strengths.
    """

    kind: Literal["auto"] = "auto"
    built_by: ClassVar[str] = "graft.modalities.image.augment.policies:auto"
    learned_on: Literal["imagenet", "cifar10", "svhn"] = Field(
        "imagenet", description="The data that the policy was learned on: photos, small photos, house numbers."
    )


class AugMix(Policy):
    """A weighted mean of the sample and of several chains of operations on it.

    AugMix (Hendrycks et al., ICLR 2020): k is `chains`, each of one to three operations, weighted by Dirichlet(1) and
    mixed with the sample by m from Beta(1, 1); severity is 10 times `magnitude`. The paper's operations without those
    of its test corruptions (brightness, colour, contrast, sharpness); its consistency loss is not part of this.
    """

    kind: Literal["augmix"] = "augmix"
    built_by: ClassVar[str] = "graft.modalities.image.augment.policies:augmix"
    magnitude: Share = Field(0.3, description="How strong the changes are; the paper's severity, divided by 10.")
    chains: int = Field(3, ge=1, le=8, description="Chains of operations; the paper's k.")


class CustomAugmentation(Policy):
    """Operations of one's own choice, one after the other, each with its probability and magnitude."""

    kind: Literal["custom"] = "custom"
    built_by: ClassVar[str] = "graft.modalities.image.augment.policies:custom"
    magnitude: Share = Field(1.0, description="Multiplies the magnitude of every operation.")
    operations: tuple[NamedOperation, ...] = Field(
        (Operation(name="flip"), Operation(name="crop", probability=1.0), Operation(name="jitter")),
        strict=False,
        min_length=1,
        max_length=32,
        description="What is done, in this order.",
    )

    @classmethod
    def misfit(cls, given: Mapping[str, Any], data: DataSpec) -> str:
        """A mirror image that the data exclude, asked for by name."""
        if getattr(data, "flip", None) != "none" or "flip" not in _names(given):
            return ""
        return "has the operation flip, but data.flip is none: a mirror image may have another label; leave it out"


def _names(given: Any) -> Iterator[str]:
    """The operations named anywhere in plain data of a space."""
    if isinstance(given, Mapping):
        yield from [given["name"]] if "name" in given else [one for inner in given.values() for one in _names(inner)]
    elif isinstance(given, list | tuple):
        yield from (one for inner in given for one in _names(inner))
