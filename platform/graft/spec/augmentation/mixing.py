"""`strategy.mix`: training samples that are mixed with one another, and their targets with them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component, Share

Alpha = Annotated[float, Field(gt=0, le=10)]


class Mix(Component):
    """How samples are mixed; built from (spec).

    A sample's partner is the one that follows it in the order of the epoch: it depends on seed and epoch alone.

    Attributes:
        modality: kind of the modality whose samples it mixes; None for any.
        tasks: kinds of the tasks whose targets may be mixed like this; empty for every task.
    """

    modality: ClassVar[str | None] = None
    tasks: ClassVar[tuple[str, ...]] = ()

    @property
    def is_active(self) -> bool:
        """Whether anything is mixed."""
        return True

    def simplest(self) -> "Mix":
        """The mixing that means the same with the fewest parameters."""
        return self if self.is_active else NoMix()


class NoMix(Mix):
    """Every sample by itself."""

    kind: Literal["none"] = "none"

    @property
    def is_active(self) -> bool:
        """Nothing is."""
        return False


class MixUp(Mix):
    """The weighted mean of two samples, and of their targets.

    mixup (Zhang, Cisse, Dauphin, Lopez-Paz, ICLR 2018): x̃ = λ x_i + (1 − λ) x_j and ỹ alike, λ from Beta(α, α), drawn
    for each sample. In regression the targets are averaged as numbers.
    """

    kind: Literal["mixup"] = "mixup"
    built_by: ClassVar[str] = "graft.modalities.image.augment.mixing:MixedUp"
    modality: ClassVar[str | None] = "image"
    alpha: Alpha = Field(0.2, description="α of Beta(α, α): small ones leave most samples nearly as they are.")
    share: Share = Field(1.0, description="Share of the samples of an epoch that are mixed.")

    @property
    def is_active(self) -> bool:
        """Not without a share."""
        return self.share > 0


class CutMix(Mix):
    """A rectangle of another sample, and as much of its target as the rectangle's share of the area.

    CutMix (Yun et al., ICCV 2019): the rectangle has 1 − λ of the area, λ from Beta(α, α), around a point drawn evenly;
    what of it lies outside is cut off, and λ corrected. Not for regression: a number is not spread over the area.
    """

    kind: Literal["cutmix"] = "cutmix"
    built_by: ClassVar[str] = "graft.modalities.image.augment.mixing:CutAndMixed"
    modality: ClassVar[str | None] = "image"
    tasks: ClassVar[tuple[str, ...]] = ("classification", "multilabel")
    alpha: Alpha = Field(1.0, description="α of Beta(α, α); 1 draws areas evenly, as the paper does.")
    share: Share = Field(1.0, description="Share of the samples of an epoch that are mixed.")

    @property
    def is_active(self) -> bool:
        """Not without a share."""
        return self.share > 0
