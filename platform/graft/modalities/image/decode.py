"""One image file's bytes to pixels, or the reason why not.

Pixels come out as everybody sees them on a screen (`graft.modalities.image.pixels`): turned as the EXIF orientation
says, transparent parts on white, 16-bit grey scaled to 8 bits, the first frame of an animation.
"""

import codecs
import io
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from graft.core.passing_errors import is_used_up
from graft.data.read import Oversized, Unreadable
from graft.modalities.image.file_names import FORMATS, foreign_reason
from graft.modalities.image.look import look_of
from graft.modalities.image.metadata import without_metadata
from graft.modalities.image.pixels import Picture, of_low_bytes, raw_mode, seen

_TIFF = (b"II*\0", b"MM\0*")
_MAGICS = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", *_TIFF)
_SHRINK_MARGIN = 2
"""A JPEG is never shrunk below this many times the wanted side, so that the last resize still has detail to average."""
_BYTES_PER_PIXEL = 8
"""What decoding takes at the least: Pillow's own picture of four bytes, and the copies of three that follow."""


def decode_image(content: bytes, max_pixels: int, min_side: int | None = None) -> np.ndarray:
    """`decode` without its remark: uint8 array [height, width, 3], RGB."""
    return decode(content, max_pixels, min_side).pixels


def decode(content: bytes, max_pixels: int, min_side: int | None = None) -> Picture:
    """Decode an image.

    Args:
        content: the whole file.
        max_pixels: an image whose header promises more is refused before anything is decoded.
        min_side: when given, a JPEG may be decoded at a half, a quarter or an eighth of its size as long as both sides
            keep at least twice this many pixels. It makes large photos several times faster to read.

    Raises:
        Unreadable: empty, not an image, of another format, damaged, too large, or of pixels that have no defined
            brightness.
        MemoryError: there is not enough for an image of this size, which says nothing of its bytes.
    """
    if not content:
        raise Unreadable("is empty")
    with warnings.catch_warnings():
        # What PIL warns of is either refused below (too many pixels) or does not touch the pixels (odd metadata).
        warnings.simplefilter("ignore")
        try:
            return _decode(content, max_pixels, min_side)
        except (Unreadable, MemoryError):
            raise
        except Exception as error:  # decoders raise a dozen unrelated types on damaged bytes
            bare = without_metadata(content)
            if bare is None:
                raise _refusal(content, error) from error
        try:
            return _decode(bare, max_pixels, min_side)
        except (Unreadable, MemoryError):
            raise
        except Exception as error:
            raise _refusal(content, error) from error


def decode_picture(image: Image.Image, max_pixels: int) -> np.ndarray:
    """The pixels of a picture that somebody has opened already, by the same rules: uint8 [height, width, 3], RGB.

    Raises:
        Unreadable: it is too large, damaged, or of pixels that have no defined brightness.
        MemoryError: there is not enough for an image of this size.
    """
    try:
        return _loaded(image, max_pixels, image.size).pixels
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise Unreadable(f"is damaged ({_one_line(error)})") from error


def _decode(content: bytes, max_pixels: int, min_side: int | None) -> Picture:
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    size = image.size
    _require_size(image, max_pixels)
    if min_side is not None:
        image.draft(None, (min_side * _SHRINK_MARGIN, min_side * _SHRINK_MARGIN))
    return _loaded(image, max_pixels, size, lambda: of_low_bytes(Image.open(io.BytesIO(content), formats=FORMATS)))


def _loaded(
    image: Image.Image, max_pixels: int, size: tuple[int, int], low: Callable[[], Image.Image] | None = None
) -> Picture:
    _require_size(image, max_pixels)
    raw = raw_mode(image)
    try:
        image.load()
        look = look_of(image, raw, size)
        return replace(seen(image, raw, low), look=look)
    except Unreadable:
        raise
    except Exception as error:
        _require_memory(image, error)
        raise


def _require_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise Oversized(f"has {width} x {height} pixels, more than data.max_pixels allows ({max_pixels})")


def _require_memory(image: Image.Image, error: Exception) -> None:
    """Tell a machine without memory from a damaged file: some decoders call both a broken stream.

    Raises:
        MemoryError: there is not enough for this image.
    """
    width, height = image.size
    needed = width * height * _BYTES_PER_PIXEL
    if is_used_up(error) or not _can_have(needed):
        wanted = f"{width} x {height} pixels need about {max(needed >> 20, 1)} MiB of memory, which is not to be had"
        raise MemoryError(wanted) from error


def _can_have(size: int) -> bool:
    try:
        bytearray(size)  # of pages that are never touched
    except MemoryError:
        return False
    return True


def _refusal(content: bytes, error: Exception) -> Unreadable:
    if isinstance(error, UnidentifiedImageError):
        return Unreadable(_what_else(content))
    if isinstance(error, Image.DecompressionBombError):
        return Oversized(f"has more pixels than any image should ({_one_line(error)})")
    return Unreadable(f"is damaged ({_one_line(error)})")


def _what_else(content: bytes) -> str:
    known = ", ".join(FORMATS)
    if reason := foreign_reason(content[:1024]):
        return reason
    if _is_text(content[:1024]):
        return f"is text, but must be an image ({known})"
    if content.startswith(_TIFF) and _is_tiff_of_other_pixels(content):
        return "is a TIFF of pixels that are not read; save it as grey or RGB of 8 or 16 bits"
    if content.startswith(_MAGICS) or content[8:12] == b"WEBP":
        return "is damaged (its header cannot be read)"
    return f"is not an image of a known format, but must be one of {known}"


def _is_tiff_of_other_pixels(content: bytes) -> bool:
    """Whether Pillow knows the file, but not its pixels: complex numbers, floats of 16 or 64 bits, spectra."""
    try:
        TiffImagePlugin.TiffImageFile(io.BytesIO(content))
    except SyntaxError as error:
        return "pixel mode" in str(error)
    except Exception:  # it is damaged as well
        return False
    return False


def _is_text(start: bytes) -> bool:
    try:
        # Incremental, because the last character may have been cut.
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return b"\0" not in start


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
