"""What is beside the pixels never costs them."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from graft.data.read import Unreadable
from graft.modalities.image.decode import decode_image

LIMIT = 1_000_000
PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes, check: bytes | None = None) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content)) if check is None else check
    return struct.pack(">I", len(content)) + kind + content + checksum


BOMB = zlib.compress(bytes(3_000_000))
CHUNKS = {
    "large zTXt": chunk(b"zTXt", b"Comment\0\0" + BOMB),
    "large iTXt": chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB),
    "large tEXt": b"".join(chunk(b"tEXt", b"C%d\0" % part + b"x" * 7_000_000) for part in range(10)),
    "large profile": chunk(b"iCCP", b"icc\0\0" + BOMB),
    "damaged profile": chunk(b"iCCP", b"icc\0\0garbage"),
    "damaged text": chunk(b"zTXt", b"Comment\0\0garbage"),
    "wrong checksum of a text": chunk(b"tEXt", b"Comment\0abc", b"abcd"),
    "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<" * 2_000_000),
    "damaged EXIF": chunk(b"eXIf", b"MM\0\x2a\xff\xff\xff\xff"),
    "short resolution": chunk(b"pHYs", b"\0"),
    "short gamma": chunk(b"gAMA", b""),
    "short colours": chunk(b"cHRM", b"\0\0\0"),
    "damaged animation": chunk(b"acTL", b"\0\0\0"),
    "frame without animation": chunk(b"fcTL", bytes(26)),
    "a chunk of nobody": chunk(b"zzZz", b"?" * 100),
}


@pytest.mark.parametrize("where", ["before the pixels", "behind them"])
@pytest.mark.parametrize("case", CHUNKS)
def test_no_chunk_beside_the_pixels_of_a_png_costs_them(case, where, encode, noise):
    pixels = noise(6, 5, 3)
    whole = encode(pixels)
    at = len(PNG) + 25 if where == "before the pixels" else len(whole) - 12
    np.testing.assert_array_equal(decode_image(whole[:at] + CHUNKS[case] + whole[at:], LIMIT), pixels)


def test_the_orientation_stays_when_texts_are_passed_over(encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    whole = encode(Image.fromarray(picture).convert("RGB"), exif=exif)
    at = len(PNG) + 25
    decoded = decode_image(whole[:at] + CHUNKS["large zTXt"] + whole[at:], LIMIT)
    np.testing.assert_array_equal(decoded[:, :, 0], np.rot90(picture, -1))


@pytest.mark.parametrize("case", ["large zTXt", "wrong checksum of a text"])
def test_damaged_pixels_stay_damaged(case, encode, noise):
    whole = encode(noise(40, 40, 3))
    at = len(PNG) + 25
    with pytest.raises(Unreadable, match=r"^is damaged"):
        decode_image(whole[:at] + CHUNKS[case] + whole[at : len(whole) // 2], LIMIT)


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


SEGMENTS = {
    "large profile": b"".join(
        segment(0xE2, b"ICC_PROFILE\0" + bytes((part, 60)) + b"x" * 65_000) for part in range(1, 61)
    ),
    "profile out of order": segment(0xE2, b"ICC_PROFILE\0" + bytes((9, 2)) + b"x" * 100),
    "damaged EXIF": segment(0xE1, b"Exif\0\0MM\0\x2a\xff\xff\xff\xff"),
    "EXIF without end": segment(0xE1, b"Exif\0\0" + b"II\x2a\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0" * 2000),
    "XMP": b"".join(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<" * 65_000) for _ in range(20)),
    "damaged Photoshop": segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\xff\xff\xff\xff"),
    "damaged MPF": segment(0xE2, b"MPF\0II\x2a\0\x08\0\0\0\xff\xff"),
    "comments": b"".join(segment(0xFE, b"y" * 65_000) for _ in range(20)),
}


@pytest.mark.parametrize("case", SEGMENTS)
def test_no_segment_beside_the_pixels_of_a_jpeg_costs_them(case, encode, noise):
    whole = encode(noise(16, 16, 3), "JPEG", quality=95)
    np.testing.assert_array_equal(
        decode_image(whole[:2] + SEGMENTS[case] + whole[2:], LIMIT), decode_image(whole, LIMIT)
    )


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_large_metadata_of_other_formats_cost_nothing(kind, encode, noise):
    pixels = noise(6, 5, 3)
    options = {"TIFF": {"tiffinfo": {270: "x" * 3_000_000}}, "WEBP": {"lossless": True, "xmp": b"<" * 3_000_000}}
    np.testing.assert_array_equal(decode_image(encode(pixels, kind, **options[kind]), LIMIT), pixels)
