"""Checks of labels that cost more than a look: what a model of the other samples says, and what gives a label away."""

from typing import ClassVar, Literal

from graft.spec.checks import kinds
from graft.spec.checks.base import CheckSpec, FindingKind


class DoubtfulLabelCheck(CheckSpec):
    """Labels that are likelier wrong than right, and samples far from all others, by features of a frozen network."""

    kind: Literal["doubtful_labels"] = "doubtful_labels"
    built_by: ClassVar[str] = "graft.doctor.checks.doubtful_labels:doubtful_labels"
    costly: ClassVar[bool] = True
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.SUSPICIOUS_LABEL, kinds.OUTLIER)


class TriggerWordCheck(CheckSpec):
    """Words that outvote all others of their texts."""

    kind: Literal["text_triggers"] = "text_triggers"
    built_by: ClassVar[str] = "graft.doctor.checks.trigger_words:trigger_words"
    modality: ClassVar[str | None] = "text"
    costly: ClassVar[bool] = True
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.POISONING_SUSPECT,)


class PatchCheck(CheckSpec):
    """Small constant patches at one place that predict a label."""

    kind: Literal["picture_patches"] = "picture_patches"
    built_by: ClassVar[str] = "graft.modalities.image.checks.poisoning:poisoned_patches"
    modality: ClassVar[str | None] = "image"
    costly: ClassVar[bool] = True
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.POISONING_SUSPECT,)
