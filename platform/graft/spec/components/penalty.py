"""`strategy.penalty`: a term of the loss beside what the task asks for; here, of the weights alone."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component

HeadStrength = Annotated[float, Field(ge=0)]
HEAD_STRENGTH: Any = Field(1e-3, description="β: pull of the new weights (head, reinitialised) towards zero.")


class PenaltySpec(Component):
    """A penalty on the weights; built from (spec, trainable parts).

    Attributes:
        needs_source_head: whether it needs the head that the backbone was pretrained with.
    """

    needs_source_head: ClassVar[bool] = False

    def on_frozen_backbone(self) -> "PenaltySpec":
        """The penalty that means the same when only the head is trained."""
        return self

    def on_new_weights(self) -> "PenaltySpec":
        """The penalty that means the same when nothing that is trained has pretrained weights."""
        return self

    def on_backbone(self, is_edited: bool, is_headless: bool) -> "PenaltySpec":
        """The penalty that means the same on a backbone.

        Args:
            is_edited: a structure makes other features of it than it was pretrained with.
            is_headless: its weights come without the head that they were trained with.
        """
        if is_headless and self.needs_source_head:
            return NoPenalty()
        return self.on_new_features() if is_edited else self

    def on_new_features(self) -> "PenaltySpec":
        """The penalty that means the same when the features are not those of the pretrained network."""
        return self

    def on_still_matrices(self) -> "PenaltySpec":
        """The penalty that means the same when no pretrained matrix is moved itself (`strategy.tune`).

        A pull of weights toward their start is then one of weights that stay there; of adapters it says nothing.
        """
        return self


class NoPenalty(PenaltySpec):
    """No penalty beyond the optimiser's weight decay."""

    kind: Literal["none"] = "none"
    built_by: ClassVar[str] = "graft.transfer.penalties.weights:Unpenalised"


class L1(PenaltySpec):
    """strength · Σ|w| over the trainable weights."""

    kind: Literal["l1"] = "l1"
    built_by: ClassVar[str] = "graft.transfer.penalties.weights:L1Penalty"
    strength: float = Field(1e-5, gt=0, description="Factor of the penalty in the loss.")


class L2(PenaltySpec):
    """strength/2 · Σw² over the trainable weights."""

    kind: Literal["l2"] = "l2"
    built_by: ClassVar[str] = "graft.transfer.penalties.weights:L2Penalty"
    strength: float = Field(1e-3, gt=0, description="Factor of the penalty in the loss.")


class _TowardsStart(PenaltySpec):
    """Pulls pretrained weights towards where they started: what is left where none of them moves is always the same."""

    def on_new_weights(self) -> PenaltySpec:
        """As on a frozen backbone."""
        return self.on_frozen_backbone()

    def on_still_matrices(self) -> PenaltySpec:
        """As on a frozen backbone."""
        return self.on_frozen_backbone()


class L1SP(_TowardsStart):
    """L1 towards the starting point (Li, Grandvalet, Davoine, ICML 2018).

    α · Σ|w − w⁰| over the trainable pretrained weights + β/2 · Σw² over the new ones: most stay where they were.
    """

    kind: Literal["l1_sp"] = "l1_sp"
    built_by: ClassVar[str] = "graft.transfer.penalties.weights:L1SPPenalty"
    strength: float = Field(1e-4, gt=0, description="α: pull of the pretrained weights towards where they started.")
    head_strength: HeadStrength = HEAD_STRENGTH

    def on_frozen_backbone(self) -> PenaltySpec:
        """A pull of the backbone pulls nothing; what is left is that of the head."""
        return of_new_weights(self.head_strength)


class L2SP(_TowardsStart):
    """L2 towards the starting point (Li, Grandvalet, Davoine, ICML 2018).

    α/2 · Σ(w − w⁰)² over the trainable pretrained weights + β/2 · Σw² over the new ones.
    """

    kind: Literal["l2_sp"] = "l2_sp"
    built_by: ClassVar[str] = "graft.transfer.penalties.weights:L2SPPenalty"
    strength: float = Field(1e-2, gt=0, description="α: pull of the pretrained weights towards where they started.")
    head_strength: HeadStrength = HEAD_STRENGTH

    def on_frozen_backbone(self) -> PenaltySpec:
        """A pull of the backbone pulls nothing; what is left is that of the head."""
        return of_new_weights(self.head_strength)


def of_new_weights(strength: float) -> PenaltySpec:
    """The pull of new weights towards zero, where it is all that is left of a penalty."""
    return L2(strength=strength) if strength > 0 else NoPenalty()
