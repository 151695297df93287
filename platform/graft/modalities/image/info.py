"""What must be known of a network that takes images. No torch here: `graft plan` asks for it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
PIXELS = "pixels"
"""Name of the tensor that a batch of images holds: float [B, 3, R, R]."""

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class ImageInput:
    """What a network was pretrained on.

    Attributes:
        mean: mean of each RGB channel of the pretraining images, of 0..1.
        std: standard deviation of each channel, of 0..1.
        interpolation: how the pretraining images were resized.
        native_resolution: side of the pretraining images, in pixels.
    """

    mean: Rgb
    std: Rgb
    interpolation: Literal["bilinear", "bicubic"]
    native_resolution: int

    @property
    def native_size(self) -> int:
        """Side of the pretraining images, in pixels."""
        return self.native_resolution

    @property
    def counted_size(self) -> int:
        """The same."""
        return self.native_resolution

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"preprocessing": asdict(self)}
