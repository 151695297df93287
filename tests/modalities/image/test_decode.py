import io
import os
import re
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from graft.data.read import Unreadable
from graft.modalities.image.decode import FORMATS, decode_image

LIMIT = 1_000_000
LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_keep_every_pixel(kind, encode, noise):
    pixels = noise(7, 9, 3)
    decoded = decode_image(encode(pixels, kind, **LOSSLESS[kind]), LIMIT)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)


def test_a_jpeg_is_about_the_same(encode):
    ramp = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8)[:, None, None], (64, 48, 3))
    decoded = decode_image(encode(np.ascontiguousarray(ramp), "JPEG", quality=95), LIMIT)
    assert decoded.shape == (64, 48, 3)
    assert np.abs(decoded.astype(int) - ramp).max() < 8


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "blue")]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode_image(stream.getvalue(), LIMIT)[0, 0], (255, 0, 0))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(orientation):
    picture = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    picture.save(stream, "PNG", exif=exif)
    original = np.asarray(picture)
    upright = {
        1: original,
        2: original[:, ::-1],
        3: original[::-1, ::-1],
        4: original[::-1],
        5: original.transpose(1, 0, 2),
        6: np.rot90(original, -1),
        7: original[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(original),
    }
    np.testing.assert_array_equal(decode_image(stream.getvalue(), LIMIT), upright[orientation])


def test_transparent_parts_are_white():
    rgba = np.zeros((2, 2, 4), dtype=np.uint8)
    rgba[0, 0] = (255, 0, 0, 255)
    rgba[1, 1] = (0, 0, 0, 128)
    stream = io.BytesIO()
    Image.fromarray(rgba).save(stream, "PNG")
    decoded = decode_image(stream.getvalue(), LIMIT)
    np.testing.assert_array_equal(decoded[0, 0], (255, 0, 0))
    np.testing.assert_array_equal(decoded[0, 1], (255, 255, 255))
    np.testing.assert_array_equal(decoded[1, 1], (127, 127, 127))


def test_a_transparent_palette_colour_is_white():
    picture = Image.new("P", (3, 3), 1)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((0, 0), 0)
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=1)
    decoded = decode_image(stream.getvalue(), LIMIT)
    np.testing.assert_array_equal(decoded[0, 0], (10, 20, 30))
    np.testing.assert_array_equal(decoded[2, 2], (255, 255, 255))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind, encode):
    values = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    np.testing.assert_array_equal(decode_image(encode(values, kind), LIMIT)[0, :, 0], (0, 100, 255))


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "LA", "P"])
def test_other_modes_become_rgb(mode):
    stream = io.BytesIO()
    kind = "TIFF" if mode == "CMYK" else "PNG"
    Image.new("RGB", (4, 3), "white").convert(mode).save(stream, kind)
    np.testing.assert_array_equal(decode_image(stream.getvalue(), LIMIT), np.full((3, 4, 3), 255, dtype=np.uint8))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises width x height pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [1001, 10_000, 60_000])
def test_a_decompression_bomb_is_refused_by_its_header_and_without_a_warning(side):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Unreadable, match="pixels"):
            decode_image(bomb(side, side), LIMIT)


def test_an_image_of_just_the_limit_is_read(encode, noise):
    content = encode(noise(10, 20, 3))
    assert decode_image(content, 200).shape == (10, 20, 3)
    with pytest.raises(Unreadable, match=r"has 20 x 10 pixels, more than data.max_pixels allows"):
        decode_image(content, 199)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"I am no image, only my name says so.\n" * 50, "is text"),
        ("Straße und Äpfel".encode() * 100, "is text"),
        (b"\n<!DOCTYPE html><html>", "is a web page, but must be an image .*; download it again"),
        (b"\x00\x01\x02\x03" * 64, "is not an image of a known format"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(64), "is HEIC"),
        (b"%PDF-1.4\n", "is a PDF, but must be one of JPEG"),
        (bytes(128) + b"DICM" + bytes(64), "is DICOM"),
        (b"\xff\x0a" + bytes(64), "is JPEG XL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(64), "is JPEG XL"),
        (b"8BPS\x00\x01" + bytes(64), "is a Photoshop document"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(64), r"is sound \(WAV\)"),
        (b"PK\x03\x04" + bytes(64), "is a zip archive or an office document"),
        (b"\xff\xd8\xff\xe0\x00\x10JF", "is damaged"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is damaged"),
    ],
)
def test_what_is_no_image_says_why(content, reason):
    with pytest.raises(Unreadable, match=f"^{reason}"):
        decode_image(content, LIMIT)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_image_is_damaged_never_half_read(kind, share, encode, noise):
    content = encode(noise(40, 40, 3), kind)
    with pytest.raises(Unreadable, match=r"^is (damaged|not an image)"):
        decode_image(content[: int(len(content) * share)], LIMIT)


def test_formats_outside_the_list_are_refused(encode, noise):
    assert "PPM" not in FORMATS
    with pytest.raises(Unreadable, match="must be one of JPEG, PNG"):
        decode_image(encode(noise(4, 4, 3), "PPM"), LIMIT)


def test_32_bit_pixels_are_refused_only_when_they_need_them(encode):
    assert decode_image(encode(np.full((3, 3), 65535, dtype=np.int32), "TIFF"), LIMIT).max() == 255
    with pytest.raises(Unreadable, match="beyond 16 bits"):
        decode_image(encode(np.full((3, 3), 65536, dtype=np.int32), "TIFF"), LIMIT)


def test_a_damaged_exif_block_does_not_cost_the_image(noise):
    stream = io.BytesIO()
    Image.fromarray(noise(5, 5, 3)).save(stream, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode_image(stream.getvalue(), LIMIT).shape == (5, 5, 3)


def test_a_jpeg_may_be_decoded_smaller_but_never_below_twice_the_side(encode, noise):
    content = encode(noise(400, 640, 3), "JPEG")
    assert decode_image(content, LIMIT).shape == (400, 640, 3)
    assert decode_image(content, LIMIT, min_side=40).shape == (100, 160, 3)
    assert decode_image(content, LIMIT, min_side=250).shape == (400, 640, 3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "BMP", "GIF"]),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_bytes_give_pixels_or_a_reason_and_nothing_else(
    kind: str, changes: list[tuple[int, int]], encode: Callable[..., bytes], noise: Callable[..., np.ndarray]
):
    content = bytearray(encode(noise(12, 12, 3), kind))
    for place, value in changes:
        content[place % len(content)] = value
    outcome = pixels_or_reason(bytes(content))
    if isinstance(outcome, str):
        assert re.fullmatch("[^\n]+", outcome)
    else:
        assert outcome.ndim == 3
        assert outcome.shape[2] == 3


def pixels_or_reason(content: bytes) -> np.ndarray | str:
    try:
        return decode_image(content, LIMIT)
    except Unreadable as error:
        return str(error)


UNDER_A_LIMIT = """
import io, resource, sys
from PIL import Image, ImageFile
from graft.modalities.image.decode import decode
side = 7000
stream = io.BytesIO()
Image.new("1", (side, side), 1).save(stream, "PNG")
with open("/proc/self/statm") as held:
    size = int(held.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (80 << 20), resource.RLIM_INFINITY))
try:
    decode(stream.getvalue(), side * side)
except MemoryError as error:
    sys.exit(str(error))
"""


def test_a_good_picture_without_memory_for_it_is_not_damaged(repository):
    environment = {**os.environ, "PYTHONPATH": str(repository / "platform"), "OMP_NUM_THREADS": "1"}
    found = subprocess.run([sys.executable, "-c", UNDER_A_LIMIT], env=environment, capture_output=True, text=True)
    assert found.stderr.strip() == "7000 x 7000 pixels need about 373 MiB of memory, which is not to be had"


@pytest.mark.parametrize("error", [MemoryError(), OSError("out of memory error when reading image file")])
def test_a_decoder_without_memory_says_nothing_of_the_file(error, encode, noise, monkeypatch):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(MemoryError, match="5 x 6 pixels need about 1 MiB of memory"):
        decode_image(encode(noise(6, 5, 3)), LIMIT)
