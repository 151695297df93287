"""`task: classification`: each sample is of one class; and the losses for it."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from graft.spec.components.activation_penalty import ActivationPenaltySpec
from graft.spec.components.penalty import NoPenalty, PenaltySpec
from graft.spec.metrics import MetricSpec
from graft.spec.tasks.base import LossSpec, TaskSpec


class Classification(TaskSpec):
    """Each sample is of one of several classes."""

    kind: Literal["classification"] = "classification"
    built_by: ClassVar[str] = "graft.tasks.classification.task:ClassificationTask"
    link: ClassVar[str] = "softmax"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (
        MetricSpec("accuracy", "max", is_share=True, lowest=0, highest=1),
        MetricSpec("balanced_accuracy", "max", lowest=0, highest=1),
        MetricSpec("macro_f1", "max", lowest=0, highest=1),
        MetricSpec("loss", "min", lowest=0),
        MetricSpec("log_loss", "min", lowest=0),
        MetricSpec("auroc", "max", lowest=0, highest=1),
        MetricSpec("ece", "min", lowest=0, highest=1),
        MetricSpec("top_3_accuracy", "max", is_share=True, lowest=0, highest=1),
        MetricSpec("top_5_accuracy", "max", is_share=True, lowest=0, highest=1),
    )
    rows_by_name: ClassVar[bool] = True
    default_metric: ClassVar[str] = "accuracy"
    default_loss: ClassVar[str] = "cross_entropy"
    default_space: ClassVar[Mapping[str, Any]] = {
        "loss": {"choice": ["cross_entropy", {"kind": "cross_entropy", "label_smoothing": 0.1}]}
    }
    default_first: ClassVar[Mapping[str, Any]] = {"loss": {"kind": "cross_entropy", "label_smoothing": 0.1}}


class CrossEntropy(LossSpec):
    """Cross-entropy."""

    kind: Literal["cross_entropy"] = "cross_entropy"
    built_by: ClassVar[str] = "graft.tasks.classification.losses:cross_entropy"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    takes_mixed: ClassVar[bool] = True
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="Share of the target spread evenly.")


class Focal(LossSpec):
    """Focal loss (Lin, Goyal, Girshick, He, Dollár, ICCV 2017): −(1 − p)^γ · log p of the right class's probability p.

    Samples that are classified well already weigh less.
    """

    kind: Literal["focal"] = "focal"
    built_by: ClassVar[str] = "graft.tasks.classification.losses:focal"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    takes_mixed: ClassVar[bool] = True
    gamma: float = Field(2.0, ge=0, le=10, description="γ: how fast a sample loses weight; 0 is cross-entropy.")

    def simplest(self) -> Any:
        """Without γ it is cross-entropy."""
        return CrossEntropy() if self.gamma == 0 else self


class ClassBalanced(LossSpec):
    """Cross-entropy weighted by class (Cui, Jia, Lin, Song, Belongie, CVPR 2019): rare classes weigh more.

    A class with n training samples weighs (1 − β) / (1 − β^n), scaled so that the mean over the classes is 1.
    """

    kind: Literal["class_balanced"] = "class_balanced"
    built_by: ClassVar[str] = "graft.tasks.classification.losses:class_balanced"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    takes_mixed: ClassVar[bool] = True
    beta: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.999, description="β: 0 weighs all classes alike; towards 1 a class weighs as the inverse of its size."
    )

    def simplest(self) -> Any:
        """Without β all classes weigh alike."""
        return CrossEntropy() if self.beta == 0 else self


class CoTuning(ActivationPenaltySpec):
    """The source network's own head goes on telling source classes, those that belong to a sample's label (You et al.,
    NeurIPS 2020).

    λ · cross-entropy between the source head's outputs and p(source class | label), which is learned from the training
    samples before the first step. Only where the file of weights holds that head.
    """

    kind: Literal["co_tuning"] = "co_tuning"
    built_by: ClassVar[str] = "graft.tasks.classification.co_tuning:CoTuningPenalty"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    needs_source_head: ClassVar[bool] = True
    strength: float = Field(1.0, gt=0, description="λ: factor of the source head's cross-entropy.")

    def on_new_features(self) -> PenaltySpec:
        """The source head understands nothing of features that start at random."""
        return NoPenalty()
