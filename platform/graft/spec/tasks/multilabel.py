"""`task: multilabel`: each sample has any number of labels; and the losses for it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from graft.spec.metrics import MetricSpec
from graft.spec.tasks.base import LossSpec, TaskSpec


class Multilabel(TaskSpec):
    """Each sample has none, one or several of the labels."""

    kind: Literal["multilabel"] = "multilabel"
    built_by: ClassVar[str] = "graft.tasks.multilabel.task:MultilabelTask"
    link: ClassVar[str] = "sigmoid"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (
        MetricSpec("map", "max", lowest=0, highest=1),
        MetricSpec("macro_f1", "max", lowest=0, highest=1),
        MetricSpec("micro_f1", "max", lowest=0, highest=1),
        MetricSpec("subset_accuracy", "max", is_share=True, lowest=0, highest=1),
        MetricSpec("loss", "min", lowest=0),
    )
    rows_by_name: ClassVar[bool] = True
    default_metric: ClassVar[str] = "map"
    default_loss: ClassVar[str] = "binary_cross_entropy"

    separator: Annotated[str, Field(min_length=1, max_length=8)] = Field(
        ";", description="What stands between the labels of a cell of a table."
    )


class BinaryCrossEntropy(LossSpec):
    """Binary cross-entropy of every label, averaged."""

    kind: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    built_by: ClassVar[str] = "graft.tasks.multilabel.losses:binary_cross_entropy"
    tasks: ClassVar[tuple[str, ...]] = ("multilabel",)
    takes_mixed: ClassVar[bool] = True


class AsymmetricLoss(LossSpec):
    """Asymmetric loss (Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter, Zelnik-Manor, ICCV 2021).

    Binary cross-entropy in which easy negatives weigh less: a label that a sample lacks is weighed by p_m^γ⁻ with
    p_m = max(p − m, 0), one that it has by (1 − p)^γ⁺.
    """

    kind: Literal["asymmetric"] = "asymmetric"
    built_by: ClassVar[str] = "graft.tasks.multilabel.losses:asymmetric"
    tasks: ClassVar[tuple[str, ...]] = ("multilabel",)
    takes_mixed: ClassVar[bool] = True
    gamma_negative: float = Field(4.0, ge=0, le=10, description="γ⁻: how fast easy negatives lose weight.")
    gamma_positive: float = Field(0.0, ge=0, le=10, description="γ⁺: how fast easy positives lose weight.")
    margin: Annotated[float, Field(ge=0, lt=1)] = Field(0.05, description="m: negatives below it cost nothing.")

    def simplest(self) -> Any:
        """Without γ and m it is binary cross-entropy."""
        is_symmetric = self.gamma_negative == self.gamma_positive == self.margin == 0
        return BinaryCrossEntropy() if is_symmetric else self
