"""Which files are images by their names."""

import os

from graft.data.folders.paths import SampleFiles

_READABLE = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
# Formats that cannot be read are listed too: they are then quarantined by name instead of vanishing without a word.
_KNOWN_OTHER = frozenset(
    (".heic", ".heif", ".avif", ".jp2", ".jxl", ".psd", ".svg", ".ico", ".ppm", ".pgm", ".dng", ".cr2", ".nef", ".arw")
)
_SUFFIXES = _READABLE | _KNOWN_OTHER | {""}
_MOST = (".jpg", ".png", ".jpeg", ".JPG", ".JPEG", ".PNG")


def _is_image(path: str) -> bool:
    # Nearly all are told by the first question, which takes a third of the time.
    return path.endswith(_MOST) or os.path.splitext(path)[1].lower() in _SUFFIXES


IMAGE_FILES = SampleFiles("images", _is_image, "as images")
