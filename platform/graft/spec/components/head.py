"""`strategy.head`: what turns features into outputs."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component

DropoutRate = Annotated[float, Field(ge=0, lt=1)]


class HeadSpec(Component):
    """A head; built from (spec, length of the features, number of outputs)."""

    without_weights: ClassVar[tuple[str, ...]] = ("dropout",)
    """Fields that shape no weight: heads that differ in them alone can copy each other's weights."""
    solved_by: ClassVar[str] = ""
    """``module:attribute`` of what solves it on the features of a frozen backbone, ``solve(spec, fitting)``
    (`graft.transfer.closed_form`); empty for a head that is trained."""

    links: ClassVar[tuple[str, ...]] = ()
    """How the outputs of a task may be read (`TaskSpec.link`) for a solver to fit to it; a trained head takes all."""

    @property
    def is_solved(self) -> bool:
        """Whether it is solved in closed form: one report, and its trial is done."""
        return bool(self.solved_by)


class LinearHead(HeadSpec):
    """One linear layer on the pooled features."""

    kind: Literal["linear"] = "linear"
    built_by: ClassVar[str] = "graft.models.network:linear_head"
    dropout: DropoutRate = Field(0.0, description="Dropout before the last layer.")


class MlpHead(HeadSpec):
    """Hidden layers with GELU, then a linear layer."""

    kind: Literal["mlp"] = "mlp"
    built_by: ClassVar[str] = "graft.models.network:mlp_head"
    width: int = Field(256, ge=1, le=8192, description="Units of a hidden layer.")
    depth: int = Field(1, ge=1, le=4, description="Number of hidden layers.")
    dropout: DropoutRate = Field(0.0, description="Dropout before each linear layer behind the first.")


class SolvedLinearHead(HeadSpec):
    """A linear head that is solved on scaled features; the scale ends in its weights."""

    without_weights: ClassVar[tuple[str, ...]] = ("scale",)
    scale: Literal["deviation", "idf"] = Field(
        "deviation",
        description="What features are scaled by over the training rows: their deviation, or how few rows have them "
        "(inverse document frequency), for a bag of words.",
    )


class LogisticHead(SolvedLinearHead):
    """L2-regularised logistic regression on scaled features, solved rather than trained."""

    kind: Literal["logistic"] = "logistic"
    built_by: ClassVar[str] = "graft.models.network:solved_linear_head"
    solved_by: ClassVar[str] = "graft.transfer.closed_form.logistic:solve"
    links: ClassVar[tuple[str, ...]] = ("softmax", "sigmoid")
    without_weights: ClassVar[tuple[str, ...]] = ("strength", "folds", "scale")
    strength: float | None = Field(
        None, gt=0, le=1e6, description="C: one over the penalty; chosen by folds if left out."
    )
    folds: int = Field(
        5, ge=2, le=20, description="Stratified folds of the training rows, or of their groups, that C is chosen by."
    )


class RidgeHead(SolvedLinearHead):
    """Ridge regression on scaled features, solved rather than trained; classes by one regression each."""

    kind: Literal["ridge"] = "ridge"
    built_by: ClassVar[str] = "graft.models.network:solved_linear_head"
    solved_by: ClassVar[str] = "graft.transfer.closed_form.ridge:solve"
    links: ClassVar[tuple[str, ...]] = ("softmax", "sigmoid", "identity")
    without_weights: ClassVar[tuple[str, ...]] = ("penalty", "scale")
    penalty: float | None = Field(
        None, gt=0, le=1e9, description="Chosen by errors of rows, or groups, that were left out, if it is left out."
    )


class PrototypeHead(HeadSpec):
    """The nearest class mean by the cosine of centred features, solved rather than trained."""

    kind: Literal["prototype"] = "prototype"
    built_by: ClassVar[str] = "graft.models.network:prototype_head"
    solved_by: ClassVar[str] = "graft.transfer.closed_form.prototype:solve"
    links: ClassVar[tuple[str, ...]] = ("softmax",)
