"""Which files are images by their names, and which are not by their first bytes."""

import os
import re

from graft.core.storage import pointer_reason
from graft.data.folders.paths import SampleFiles

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""The formats that are read; PIL knows many more, and each decoder less is one that hostile bytes cannot reach."""

_READABLE = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
# Formats that cannot be read are listed too: they are then quarantined by name instead of vanishing without a word.
# Not what cameras call raw: it mostly lies beside its JPEG, and what a reader of TIFF finds in it is a thumbnail.
_KNOWN_OTHER = frozenset((".heic", ".heif", ".avif", ".jp2", ".jxl", ".psd", ".svg", ".ico", ".ppm", ".pgm"))
_WEB_PAGE = re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)
_MARKUP = re.compile(rb"\s*(<\?xml|<svg)", re.IGNORECASE)
_SUFFIXES = _READABLE | _KNOWN_OTHER | {""}
_MOST = (".jpg", ".png", ".jpeg", ".JPG", ".JPEG", ".PNG")


def _is_image(path: str) -> bool:
    # Nearly all are told by the first question, which takes a third of the time.
    return path.endswith(_MOST) or os.path.splitext(path)[1].lower() in _SUFFIXES


def foreign_reason(start: bytes) -> str:
    """Why a file that begins so is no image that can be read, to follow its name; empty if it may be one."""
    known = ", ".join(FORMATS)
    if reason := pointer_reason(start):
        return reason
    if start[4:8] == b"ftyp":
        return f"is HEIC, AVIF or a film, but must be one of {known}; convert it to JPEG"
    if _WEB_PAGE.match(start):
        return f"is a web page, but must be an image ({known}); download it again"
    if _MARKUP.match(start):
        return f"is markup (SVG, or what a server says of an error), but must be an image ({known})"
    return ""


IMAGE_FILES = SampleFiles("images", _is_image, "as images", foreign_reason)
