"""What has to be done to an image before the backbone sees it; stored with the dataset and in the bundle."""

from typing import Annotated, Literal

from pydantic import Field

from graft.spec.base import Spec

Spread = Annotated[float, Field(gt=0)]


class Preprocessing(Spec):
    """From a decoded image to the tensor a backbone takes.

    The image is resized so that its short side has `stored_size` pixels, cropped to the middle square, kept as uint8
    (this much is done once, at ingest), then resized to `resolution` if that differs, scaled to [0, 1], repeated to
    three channels if it has one, and normalised by `mean` and `std`.
    """

    stored_size: int = Field(ge=8, le=1024, description="Side of the stored square, in pixels.")
    resolution: int = Field(ge=8, le=1024, description="Side the backbone sees, in pixels.")
    channels: Literal[1, 3] = Field(3, description="Channels as stored; one for grey images.")
    interpolation: Literal["bilinear", "bicubic"] = Field("bicubic", description="How images are resized at ingest.")
    mean: tuple[float, float, float] = Field(
        strict=False, description="Mean of each channel the backbone was trained with, of 0..1."
    )
    std: tuple[Spread, Spread, Spread] = Field(strict=False, description="Standard deviation of each channel, of 0..1.")
