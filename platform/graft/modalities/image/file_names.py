"""Which files are images by their names, and which are not by their first bytes."""

import os
import re
from collections.abc import Mapping

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
# What is called an image and is something else, by where its mark stands.
_OTHERS: Mapping[tuple[int, bytes], str] = {
    (0, b"%PDF-"): "a PDF",
    (128, b"DICM"): "DICOM",
    (0, b"\xff\x0a"): "JPEG XL",
    (0, b"\0\0\0\x0cJXL \r\n"): "JPEG XL",
    (0, b"\0\0\0\x0cjP  \r\n"): "JPEG 2000",
    (0, b"\xff\x4f\xff\x51"): "JPEG 2000",
    (0, b"8BPS"): "a Photoshop document",
    (0, b"P5"): "a portable map (PNM)",
    (0, b"P6"): "a portable map (PNM)",
    (0, b"\x76\x2f\x31\x01"): "OpenEXR",
    (0, b"#?RADIANCE"): "a picture of Radiance (HDR)",
    (0, b"\0\0\1\0"): "an icon (ICO)",
    (0, b"\xd7\xcd\xc6\x9a"): "a Windows metafile",
    (0, b"%!PS"): "PostScript",
    (0, b"PK\x03\x04"): "a zip archive or an office document",
    (0, b"\x1f\x8b"): "compressed by gzip",
    (0, b"\x1a\x45\xdf\xa3"): "a film (Matroska, WebM)",
    (8, b"AVI LIST"): "a film (AVI)",
    (8, b"WAVEfmt "): "sound (WAV)",
    (0, b"ID3"): "sound (MP3)",
    (0, b"OggS"): "sound or a film (Ogg)",
    (0, b"fLaC"): "sound (FLAC)",
    (0, b"\x93NUMPY"): "an array of NumPy",
    (0, b"\x89HDF\r\n"): "HDF5",
}
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
    other = next((name for (place, mark), name in _OTHERS.items() if start.startswith(mark, place)), "")
    return f"is {other}, but must be one of {known}; convert it to PNG or JPEG" if other else ""


_NOT_READ = "boxes and labels as in {name} (%s) are not read: write a table of files and labels"
_SHEET = "if {name} says what they are, save its sheet as CSV, and write data: {{kind: table, …}}"
_BESIDE = {
    ".json": "if {name} holds annotations of COCO, write data: {{kind: coco, path: {path}}}",
    ".xml": _NOT_READ % "Pascal VOC, CVAT",
    ".txt": _NOT_READ % "YOLO",
    ".xlsx": _SHEET,
    ".xls": _SHEET,
}
IMAGE_FILES = SampleFiles("images", _is_image, "as images", foreign_reason, _BESIDE)
