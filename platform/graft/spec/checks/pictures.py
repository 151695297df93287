"""Checks of the pixels of samples, and of the files that hold them."""

from typing import ClassVar, Literal

from pydantic import Field

from graft.spec.checks import kinds
from graft.spec.checks.base import CheckSpec, FindingKind


class FileFormCheck(CheckSpec):
    """Files that are not what they seem, or hold more than is looked at: other formats, frames, transparency, depth."""

    kind: Literal["picture_files"] = "picture_files"
    built_by: ClassVar[str] = "graft.modalities.image.checks.files:odd_files"
    modality: ClassVar[str | None] = "image"
    finds: ClassVar[tuple[FindingKind, ...]] = (
        kinds.WRONG_EXTENSION,
        kinds.ANIMATED,
        kinds.TRANSPARENT,
        kinds.DEEP,
        kinds.COLOUR_SPACE,
    )


class BlankPictureCheck(CheckSpec):
    """Pictures of one colour."""

    kind: Literal["picture_blank"] = "picture_blank"
    built_by: ClassVar[str] = "graft.modalities.image.checks.blank:blank"
    modality: ClassVar[str | None] = "image"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.BLANK,)


class PictureOutlierCheck(CheckSpec):
    """Pictures whose size, shape or brightness is far from that of the others, or absurd."""

    kind: Literal["picture_outliers"] = "picture_outliers"
    built_by: ClassVar[str] = "graft.modalities.image.checks.outliers:outliers"
    modality: ClassVar[str | None] = "image"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.ABSURD_SIZE, kinds.OUTLIER)
    deviations: float = Field(
        6.0, gt=0, le=1000, description="Distance from the median, in deviations, beyond which a picture is an outlier."
    )


class NearCopyCheck(CheckSpec):
    """Pictures that look like another one: in another size, quality, format or brightness."""

    kind: Literal["picture_copies"] = "picture_copies"
    built_by: ClassVar[str] = "graft.modalities.image.checks.near_copies:near_copies"
    groups_by: ClassVar[str] = "graft.modalities.image.checks.near_copies:near_groups"
    modality: ClassVar[str | None] = "image"
    finds: ClassVar[tuple[FindingKind, ...]] = (kinds.NEAR_DUPLICATE,)
    distance: int = Field(
        8, ge=0, le=16, description="Bits of 64 in which the perceptual hashes of near copies may differ."
    )
