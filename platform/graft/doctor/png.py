"""Small pictures for web pages, without a library for pictures: PNG (ISO/IEC 15948) of 8 bits."""

import base64
import struct
import zlib
from typing import Any

_COLOUR_TYPES = {1: 0, 3: 2}


def png(values: Any) -> bytes:
    """Encode an array.

    Args:
        values: uint8 [H, W, 1] or [H, W, 3].
    """
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    lines = b"".join(b"\0" + values[row].tobytes() for row in range(height))
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


def data_uri(content: bytes) -> str:
    """The content of a PNG file as the address of a picture."""
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
