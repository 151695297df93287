"""Checks of samples of every modality."""

from typing import ClassVar, Literal

from graft.spec.checks import kinds
from graft.spec.checks.base import CheckSpec, FindingKind


class LeftOutCheck(CheckSpec):
    """Samples that the decoder refused."""

    kind: Literal["left_out"] = "left_out"
    built_by: ClassVar[str] = "graft.doctor.checks.left_out:left_out"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.UNREADABLE, kinds.BOMB)


class CopiesCheck(CheckSpec):
    """Copies, bit for bit, of another sample."""

    kind: Literal["copies"] = "copies"
    built_by: ClassVar[str] = "graft.doctor.checks.copies:copies"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.DUPLICATE,)
    groups_by: ClassVar[str] = "graft.doctor.checks.copies:exact_groups"


class SplitLeakCheck(CheckSpec):
    """Copies and near copies that lie in different splits."""

    kind: Literal["split_leak"] = "split_leak"
    built_by: ClassVar[str] = "graft.doctor.checks.split_leak:split_leak"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.SPLIT_LEAK,)


class ConflictingLabelCheck(CheckSpec):
    """One and the same sample with two labels."""

    kind: Literal["conflicting_labels"] = "conflicting_labels"
    built_by: ClassVar[str] = "graft.doctor.checks.conflicting_labels:conflicting_labels"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.CONFLICTING_LABEL,)


class BalanceCheck(CheckSpec):
    """Labels that are much rarer than others, or of which there are too few samples to learn from."""

    kind: Literal["balance"] = "balance"
    built_by: ClassVar[str] = "graft.doctor.checks.balance:balance"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.IMBALANCE, kinds.TINY_CLASS)


class ColumnCheck(CheckSpec):
    """Columns of the user's table that say nothing, the same as another, or too much."""

    kind: Literal["columns"] = "columns"
    built_by: ClassVar[str] = "graft.doctor.checks.columns:columns"
    costly: ClassVar[bool] = True
    finds: ClassVar[tuple[FindingKind, ...]] = (
        kinds.CONSTANT_COLUMN,
        kinds.DUPLICATE_COLUMN,
        kinds.LEAKING_COLUMN,
        kinds.IDENTIFIER_COLUMN,
    )
