"""Image files without what is beside their pixels: texts, colour profiles, thumbnails, animations.

Pillow refuses a picture whose texts or profile are too large or damaged. They say nothing of the pixels, so they must
not cost them: what is left here is what the pixels need, and the EXIF block with the orientation.
"""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"})
_JPEG = b"\xff\xd8"
_START_OF_SCAN, _COMMENT, _EXIF, _ADOBE = 0xDA, 0xFE, 0xE1, 0xEE
_APPLICATION = range(0xE0, 0xF0)
_TURNED_ONLY = b"Exif\0\0"


def without_metadata(content: bytes) -> bytes | None:
    """The same picture without metadata; None for formats in which they do not keep it from being read."""
    if content.startswith(_PNG):
        return _bare_png(content)
    if content.startswith(_JPEG):
        return _bare_jpeg(content)
    return None


def _bare_png(content: bytes) -> bytes:
    """Chunks that the pixels need (PNG specification, section 11); what lies behind the last whole one is cut."""
    kept, at, view = [content[: len(_PNG)]], len(_PNG), memoryview(content)
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", view[at : at + 4])
        end = at + 12 + length
        kind = bytes(view[at + 4 : at + 8])
        if kind in _PNG_KEPT:
            kept.append(bytes(view[at:end]))
        if kind == b"IEND":
            break
        at = end
    return b"".join(kept)


def _bare_jpeg(content: bytes) -> bytes:
    """Segments that the pixels need (ITU-T T.81, annex B): no application data but EXIF and Adobe's colours."""
    kept, at = [_JPEG], len(_JPEG)
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a byte that fills up
            at += 1
            continue
        if marker == _START_OF_SCAN:
            break
        (length,) = struct.unpack(">H", content[at + 2 : at + 4])
        segment = content[at : at + 2 + length]
        if _is_needed(marker, segment):
            kept.append(segment)
        at += 2 + length
    return b"".join([*kept, content[at:]])


def _is_needed(marker: int, segment: bytes) -> bool:
    if marker == _EXIF:
        return segment[4:10] == _TURNED_ONLY
    return marker == _ADOBE or (marker not in _APPLICATION and marker != _COMMENT)
