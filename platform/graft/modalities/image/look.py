"""What the file of a picture says of it, beside its pixels: format, size, frames, transparency, colours."""

from dataclasses import dataclass

from PIL import Image

_PLAIN = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "La"})
_NAMES = {"CMYK": "inks (CMYK)", "LAB": "CIELAB", "YCbCr": "YCbCr", "HSV": "HSV", "F": "floating-point numbers"}
# In the description of a colour profile, as text of one byte and of two.
_USUAL = (b"sRGB", "sRGB".encode("utf-16-be"))


@dataclass(frozen=True)
class Look:
    """What a file says of its picture.

    Attributes:
        format: as Pillow names it, such as ``JPEG``; empty for pixels that lie in no file.
        width: in pixels, as the file has it.
        height: the same.
        is_animated: whether it has more than one frame or page.
        is_transparent: whether parts may be see-through.
        is_deep: whether it has more than 8 bits for each colour.
        colours: what its colours are, if they are neither grey nor sRGB; empty if they are.
    """

    format: str = ""
    width: int = 0
    height: int = 0
    is_animated: bool = False
    is_transparent: bool = False
    is_deep: bool = False
    colours: str = ""


def look_of(image: Image.Image, raw: str, size: tuple[int, int]) -> Look:
    """What the file of a loaded image says of it.

    Args:
        image: loaded.
        raw: how its file keeps pixels, as Pillow names it.
        size: width and height before anything was shrunk.
    """
    return Look(
        image.format or "",
        *size,
        is_animated=_has_more_frames(image),
        is_transparent=bool(image.has_transparency_data),
        is_deep=image.mode.startswith("I") or ";16" in raw,
        colours=_colours(image),
    )


def _has_more_frames(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # what comes behind the first frame is damaged, and nobody looks at it
        return True


def _colours(image: Image.Image) -> str:
    if image.mode not in _PLAIN and not image.mode.startswith("I"):
        return _NAMES.get(image.mode, image.mode)
    profile = image.info.get("icc_profile")
    is_odd = isinstance(profile, bytes) and image.mode.startswith("RGB") and not any(one in profile for one in _USUAL)
    return "a colour profile other than sRGB" if is_odd else ""
