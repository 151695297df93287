"""One image file's bytes to pixels, or the reason why not.

Pixels come out as everybody sees them on a screen: turned as the EXIF orientation says, transparent parts on white,
16-bit grey scaled to 8 bits, the first frame of an animation.
"""

import codecs
import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from graft.data.read import Unreadable

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""The formats that are read; PIL knows many more, and each decoder less is one that hostile bytes cannot reach."""

_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAGICS = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_SHRINK_MARGIN = 2
"""A JPEG is never shrunk below this many times the wanted side, so that the last resize still has detail to average."""


def decode_image(content: bytes, max_pixels: int, min_side: int | None = None) -> np.ndarray:
    """Decode an image.

    Args:
        content: the whole file.
        max_pixels: an image whose header promises more is refused before anything is decoded (PIL's own limit of
            179 million pixels also holds).
        min_side: when given, a JPEG may be decoded at a half, a quarter or an eighth of its size as long as both sides
            keep at least twice this many pixels. It makes large photos several times faster to read.

    Returns:
        uint8 array [height, width, 3], RGB.

    Raises:
        Unreadable: empty, not an image, of another format, damaged, too large, or of pixels that have no defined
            brightness (floating point).
    """
    if not content:
        raise Unreadable("is empty")
    with warnings.catch_warnings():
        # What PIL warns of is either refused below (too many pixels) or does not touch the pixels (odd metadata).
        warnings.simplefilter("ignore")
        try:
            return _decode(content, max_pixels, min_side)
        except Unreadable:
            raise
        except UnidentifiedImageError:
            raise Unreadable(_what_else(content)) from None
        except Image.DecompressionBombError as error:
            raise Unreadable(f"has more pixels than any image should ({_one_line(error)})") from error
        except Exception as error:  # decoders raise a dozen unrelated types on damaged bytes
            raise Unreadable(f"is damaged ({_one_line(error)})") from error


def _decode(content: bytes, max_pixels: int, min_side: int | None) -> np.ndarray:
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    width, height = image.size
    if width * height > max_pixels:
        raise Unreadable(f"has {width} x {height} pixels, more than data.max_pixels allows ({max_pixels})")
    if min_side is not None:
        image.draft(None, (min_side * _SHRINK_MARGIN, min_side * _SHRINK_MARGIN))
    image.load()
    return pixels_of(image)


def pixels_of(image: Image.Image) -> np.ndarray:
    """An opened image as everybody sees it: uint8 [height, width, 3], RGB.

    Raises:
        Unreadable: its pixels have no defined brightness.
    """
    return np.array(_upright(_rgb(image), _orientation(image)))


def _what_else(content: bytes) -> str:
    known = ", ".join(FORMATS)
    if content[4:8] == b"ftyp":
        return f"is HEIC, AVIF or a film, but must be one of {known}; convert it to JPEG"
    if _is_text(content[:1024]):
        return f"is text, but must be an image ({known})"
    if content.startswith(_MAGICS) or content[8:12] == b"WEBP":
        return "is damaged (its header cannot be read)"
    return f"is not an image of a known format, but must be one of {known}"


def _is_text(start: bytes) -> bool:
    try:
        # Incremental, because the last character may have been cut.
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return b"\0" not in start


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # a damaged EXIF block must not cost an image whose pixels are whole
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise Unreadable("has floating-point pixels, whose white is not defined; convert it to 8 or 16 bits")
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise Unreadable("has pixels beyond 16 bits, whose white is not defined; convert it to 8 or 16 bits")
    # 65535 / 255 = 257 exactly, so black stays black and white becomes white.
    return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
