"""`strategy.penalty`: a term of the loss that depends on the weights alone."""

from typing import ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component


class PenaltySpec(Component):
    """A penalty on the weights; built from (spec, trainable parts)."""

    def on_frozen_backbone(self) -> "PenaltySpec":
        """The penalty that means the same when only the head is trained."""
        return self


class NoPenalty(PenaltySpec):
    """No penalty beyond the optimiser's weight decay."""

    kind: Literal["none"] = "none"
    built_by: ClassVar[str] = "graft.transfer.penalties:Unpenalised"


class L1(PenaltySpec):
    """strength · Σ|w| over the trainable weights."""

    kind: Literal["l1"] = "l1"
    built_by: ClassVar[str] = "graft.transfer.penalties:L1Penalty"
    strength: float = Field(1e-5, gt=0, description="Factor of the penalty in the loss.")


class L2(PenaltySpec):
    """strength/2 · Σw² over the trainable weights."""

    kind: Literal["l2"] = "l2"
    built_by: ClassVar[str] = "graft.transfer.penalties:L2Penalty"
    strength: float = Field(1e-3, gt=0, description="Factor of the penalty in the loss.")


class L2SP(PenaltySpec):
    """L2 towards the starting point (Li, Grandvalet, Davoine, ICML 2018).

    α/2 · Σ(w − w⁰)² over the trainable pretrained weights + β/2 · Σw² over the new ones.
    """

    kind: Literal["l2_sp"] = "l2_sp"
    built_by: ClassVar[str] = "graft.transfer.penalties:L2SPPenalty"
    strength: float = Field(1e-2, gt=0, description="α: pull of the pretrained weights towards where they started.")
    head_strength: float = Field(
        1e-3, ge=0, description="β: pull of the new weights (head, reinitialised) towards zero."
    )

    def on_frozen_backbone(self) -> PenaltySpec:
        """A pull of the backbone pulls nothing; what is left is that of the head."""
        return L2(strength=self.head_strength) if self.head_strength > 0 else NoPenalty()
