"""Penalties on what a network makes of a batch: `strategy.penalty` beside those of the weights alone."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.components.penalty import HEAD_STRENGTH, HeadStrength, NoPenalty, PenaltySpec, of_new_weights


class ActivationPenaltySpec(PenaltySpec):
    """A penalty on activations; built from (spec, model, indices of the trained blocks with pretrained weights).

    Attributes:
        tasks: kinds of the tasks whose targets it can take; empty where it looks at no target.
        compares: whether it compares samples of a batch with each other: it is given features and targets of all ranks.
    """

    compares: ClassVar[bool] = False
    tasks: ClassVar[tuple[str, ...]] = ()

    def of_weights(self) -> PenaltySpec:
        """What it adds for new weights, beside what it asks of activations."""
        return NoPenalty()

    def on_frozen_backbone(self) -> PenaltySpec:
        """What frozen blocks give is constant; what is left is the pull of new weights."""
        return self.of_weights()


class Delta(ActivationPenaltySpec):
    """Feature maps stay near those of the source network, above all in channels that tell much (Li et al., ICLR 2019).

    α/2 · Σ over blocks of the mean squared difference of the maps, weighted by channel, + β/2 · Σw² over new weights.
    It runs the source network beside the trained one: a third more time, and a second copy of the trained blocks.
    """

    kind: Literal["delta"] = "delta"
    built_by: ClassVar[str] = "graft.transfer.penalties.delta:DeltaPenalty"
    strength: float = Field(1e-2, gt=0, description="α: pull of the feature maps towards those of the source network.")
    blocks: Annotated[int, Field(ge=1, le=100)] = Field(
        4, description="How many trained blocks are compared, evenly spread; the last one always is."
    )
    attention: bool = Field(True, description="Weigh channels by what the task loses without them; else all alike.")
    head_strength: HeadStrength = HEAD_STRENGTH

    def of_weights(self) -> PenaltySpec:
        """New weights are pulled towards zero."""
        return of_new_weights(self.head_strength)

    def on_new_weights(self) -> PenaltySpec:
        """There is no map that the source network has, too."""
        return self.of_weights()


class BatchSpectralShrinkage(ActivationPenaltySpec):
    """The smallest singular values of a batch's features are held down (Chen et al., NeurIPS 2019).

    strength · Σ σ² over the k smallest ones: directions that carry little are not worth being transferred.
    """

    kind: Literal["bss"] = "bss"
    built_by: ClassVar[str] = "graft.transfer.penalties.spectral:BssPenalty"
    strength: float = Field(1e-3, gt=0, description="η: factor of the squared singular values.")
    smallest: Annotated[int, Field(ge=1, le=1024)] = Field(1, description="k: how many of the smallest ones.")


class SupervisedContrast(ActivationPenaltySpec):
    """Samples of one label come together in feature space, others part (Khosla et al., NeurIPS 2020; beside the task's
    loss: Gunel et al., ICLR 2021).

    For few labels: a batch of B samples has B² pairs to learn from. Labels that occur once in a batch teach nothing.
    """

    kind: Literal["contrast"] = "contrast"
    built_by: ClassVar[str] = "graft.transfer.penalties.contrast:ContrastPenalty"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    compares: ClassVar[bool] = True
    strength: float = Field(1.0, gt=0, le=1000, description="λ: factor of the contrastive loss.")
    temperature: float = Field(0.1, ge=0.01, le=10, description="τ: cosines are divided by it.")
