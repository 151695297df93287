"""Checks of what is written: characters, copies, lengths, and words that give a label away."""

from typing import ClassVar, Literal

from pydantic import Field

from graft.spec.checks import kinds
from graft.spec.checks.base import CheckSpec, FindingKind


class EmptyTextCheck(CheckSpec):
    """Texts with nothing in them."""

    kind: Literal["text_empty"] = "text_empty"
    built_by: ClassVar[str] = "graft.modalities.text.checks.findings:empty_texts"
    modality: ClassVar[str | None] = "text"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.EMPTY_TEXT,)


class CharacterCheck(CheckSpec):
    """Characters that a reader does not see, or takes for others; what a wrong decoding or HTML has left behind."""

    kind: Literal["text_characters"] = "text_characters"
    built_by: ClassVar[str] = "graft.modalities.text.checks.findings:odd_characters"
    modality: ClassVar[str | None] = "text"
    finds: ClassVar[tuple[FindingKind, ...]] = (
        kinds.ENCODING,
        kinds.INVISIBLE_CHARACTERS,
        kinds.HOMOGLYPH,
        kinds.MARKUP,
    )


class PersonalDataCheck(CheckSpec):
    """Addresses, telephone numbers, cards and accounts: counted, never shown."""

    kind: Literal["text_personal"] = "text_personal"
    built_by: ClassVar[str] = "graft.modalities.text.checks.findings:personal"
    modality: ClassVar[str | None] = "text"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.PERSONAL_DATA,)


class TextCopiesCheck(CheckSpec):
    """Texts that are almost another one: a few words changed, dropped or added."""

    kind: Literal["text_copies"] = "text_copies"
    built_by: ClassVar[str] = "graft.modalities.text.checks.findings:near_copies"
    groups_by: ClassVar[str] = "graft.modalities.text.checks.findings:near_groups"
    modality: ClassVar[str | None] = "text"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.NEAR_DUPLICATE,)
    similarity: float = Field(
        0.6, ge=0.5, le=1, description="Least share of their runs of five characters that near copies have in common."
    )


class TextLengthCheck(CheckSpec):
    """Texts of a length far from that of the others."""

    kind: Literal["text_length"] = "text_length"
    built_by: ClassVar[str] = "graft.modalities.text.checks.findings:odd_lengths"
    modality: ClassVar[str | None] = "text"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.OUTLIER,)
    deviations: float = Field(
        6.0, gt=0, le=1000, description="Distance from the median length (its logarithm), in deviations, of an outlier."
    )
