"""`data: {kind: rotated_digits}`, as a job has it."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from graft.spec.modalities.base import DataSpec


class RotatedDigitsData(DataSpec):
    """scikit-learn's digits, each turned by an angle of its own; the target is the angle in degrees."""

    kind: Literal["rotated_digits"] = "rotated_digits"
    built_by: ClassVar[str] = "graft_rotated_digits.source:list_rotated"
    task_hint: ClassVar[tuple[str, str] | None] = ("regression", "each image was turned by an angle")
    most: float = Field(60.0, gt=0, le=180, description="Angles lie between minus and plus this, in degrees.")
    side: int = Field(32, ge=16, le=256, description="Side of the images, in pixels.")
    images: int | None = Field(None, ge=10, description="How many, test rows included; all 1,797 if left out.")

    @property
    def modality(self) -> str:
        """Images."""
        return "image"

    def decoding(self) -> dict[str, Any]:
        """Nothing: the images are listed as they are."""
        return {}
