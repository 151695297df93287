"""An opened picture as everybody sees it on a screen, whatever its file keeps: 16-bit grey, palettes, inks, floats.

Where white is: a file of 16 bits may hold the values of a sensor of 12 or 8, and few writers say so. The rule: while
nothing in a grey picture is brighter than a sixteenth of white, white is taken to be that sixteenth (65535, 4095, 255).
At 8 bits such a picture would have at most 16 shades next to black, so little is lost to those that are what they say;
the pictures read so are counted and told. What a TIFF itself says of its bits and its largest value comes first.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageFile

from graft.data.read import Unreadable
from graft.modalities.image.look import Look

_WHITE = 65535
_STEPS = ((255, "8"), (4095, "12"))
_ORIENTATION = 0x0112
_BITS, _PHOTOMETRIC, _LARGEST = 258, 262, 281
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Of grey with fewer than 8 bits Pillow scales the values, but not the one that is transparent.
_SMALL_GREY = {"L;2": 85, "L;4": 17}


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Attributes:
        image: its pixels, RGB, as Pillow keeps them.
        remark: what was assumed to read it, to fit behind "3 images"; empty if nothing was.
        look: what its file says of it, where there is one.
    """

    image: Image.Image
    remark: str = ""
    look: Look | None = None

    @property
    def pixels(self) -> np.ndarray:
        """A copy of its pixels, uint8 [height, width, 3]."""
        return np.array(self.image)


def raw_mode(image: Image.Image) -> str:
    """How the file of an image that is not loaded yet keeps its pixels, as Pillow names it; empty if unknown."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0].args if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def of_low_bytes(image: ImageFile.ImageFile) -> Image.Image:
    """An image of colours of 16 bits that is not loaded yet, whose lower 8 bits Pillow shall give, not the upper ones.

    Pillow keeps 8 bits of colours, and takes the first or the second byte by the order that it is told of.
    """
    other = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    raw = raw_mode(image)
    swapped = raw[:-1] + other[raw[-1]]
    image.tile = [
        tile._replace(args=(swapped, *tile.args[1:]) if isinstance(tile.args, tuple) else swapped)
        for tile in image.tile
    ]
    return image


def seen(image: Image.Image, raw: str = "", low: Callable[[], Image.Image] | None = None) -> Picture:
    """A loaded image as everybody sees it: turned as EXIF says, transparent parts on white.

    Args:
        image: loaded.
        raw: its `raw_mode` before that.
        low: the same image, `of_low_bytes`, where its file is at hand.

    Raises:
        Unreadable: its pixels have no defined brightness.
    """
    orientation = _orientation(image)
    picture, remark = _rgb(image, raw, low)
    turn = _TURNS.get(orientation)
    return Picture(picture if turn is None else picture.transpose(turn), remark)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block must not cost an image whose pixels are whole
        return 1


def _rgb(image: Image.Image, raw: str, low: Callable[[], Image.Image] | None) -> tuple[Image.Image, str]:
    if image.mode == "F":
        return _from_floats(image)
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.mode == "CMYK" and image.format in ("JPEG", "MPO") and "adobe" not in image.info:
        # Pillow takes the inks of every JPEG to be inverted, but only Adobe's are.
        image = ImageChops.invert(image)
    if image.has_transparency_data:
        _scale_transparency(image, raw)
        rgba = image.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
        return flat, ""
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    return _from_dark_colours(rgb, low) if raw.startswith("RGB;16") else (rgb, "")


def _scale_transparency(image: Image.Image, raw: str) -> None:
    """Bring the transparent colour to the 8 bits that Pillow has brought the pixels to."""
    value: Any = image.info.get("transparency")
    if raw in _SMALL_GREY and isinstance(value, int):
        image.info["transparency"] = value * _SMALL_GREY[raw]
    elif raw.startswith("RGB;16") and isinstance(value, tuple):
        image.info["transparency"] = tuple(part >> 8 for part in value)


def _from_16_bit(image: Image.Image) -> tuple[Image.Image, str]:
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > _WHITE):
        raise Unreadable("has pixels beyond 16 bits, whose white is not defined; convert it to 8 or 16 bits")
    white, remark = _white_of(image, int(values.max(initial=0)))
    shades = _shades(white)
    if _tag(image, _PHOTOMETRIC) == 0:  # 0 is white; Pillow turns 8 bits round, but not 16
        shades = 255 - shades
    grey = shades[values]
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB"), remark


def _white_of(image: Image.Image, brightest: int) -> tuple[int, str]:
    """The value of white, and what was assumed."""
    bits, largest = _tag(image, _BITS), _tag(image, _LARGEST)
    if bits is not None and 8 < bits < 16 and brightest < 2**bits:
        return 2**bits - 1, ""
    if largest is not None and 255 <= largest < _WHITE and brightest <= largest:
        return largest, ""
    return _step(brightest)


def _step(brightest: int) -> tuple[int, str]:
    for white, name in _STEPS:
        if 0 < brightest <= white:
            return white, f"hold values of {name} bits in 16 and are read as such (white is {white})"
    return _WHITE, ""


def _shades(white: int) -> np.ndarray:
    """uint8 [65536], the 8 bits of each value."""
    return ((np.arange(_WHITE + 1) * 255 + white // 2) // white).clip(max=255).astype(np.uint8)


def _tag(image: Image.Image, number: int) -> int | None:
    """The number in a TIFF's tag; None for other formats, or where there is none."""
    value = getattr(image, "tag_v2", {}).get(number)
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) else None


def _from_dark_colours(rgb: Image.Image, low: Callable[[], Image.Image] | None) -> tuple[Image.Image, str]:
    """Colours of 16 bits, of which Pillow gives the upper 8: a sensor of 12 uses 4 of them, one of 8 none."""
    upper = np.asarray(rgb)
    if upper.max(initial=0) > _STEPS[-1][0] >> 8:
        return rgb, ""
    lower = np.asarray(low()) if low else upper * np.uint8(17)
    values = upper.astype(np.uint16) << 8 | lower
    white, remark = _step(int(values.max(initial=0)))
    return Image.fromarray(_shades(white)[values]), remark


def _from_floats(image: Image.Image) -> tuple[Image.Image, str]:
    values = np.asarray(image)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if not (low >= 0 and high <= 1):  # also where one is no number
        raise Unreadable(
            f"has floating-point pixels from {low:g} to {high:g}, whose white is not defined; scale them to 0 to 1, or "
            "convert it to 8 or 16 bits"
        )
    grey = np.round(values * np.float32(255)).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB"), "hold floating-point values and are read with white at 1"
