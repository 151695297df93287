"""Pixels as everybody sees them: transparency, depth, inks; what is assumed is told."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from graft.data.read import Unreadable
from graft.modalities.image.decode import decode, decode_image, decode_picture

LIMIT = 1_000_000
WHITE = [255, 255, 255]


def png(width: int, depth: int, colours: int, row: bytes, transparent: bytes = b"", palette: bytes = b"") -> bytes:
    """A PNG of one row, as the specification has it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, 1, depth, colours, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"PLTE", palette) if palette else b""]
    parts += [chunk(b"tRNS", transparent) if transparent else b"", chunk(b"IDAT", zlib.compress(b"\0" + row))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


GREY, RGB, PALETTE = 0, 2, 3
TRANSPARENT = {
    "16-bit grey": (png(2, 16, GREY, struct.pack(">HH", 10_000, 40_000), struct.pack(">H", 10_000)), 156),
    "8-bit grey": (png(2, 8, GREY, bytes((7, 9)), struct.pack(">H", 7)), 9),
    "4-bit grey": (png(2, 4, GREY, bytes((0x53,)), struct.pack(">H", 5)), 51),
    "2-bit grey": (png(2, 2, GREY, bytes((0b00_01_0000,)), struct.pack(">H", 0)), 85),
    "1-bit grey": (png(2, 1, GREY, bytes((0b1000_0000,)), struct.pack(">H", 1)), 0),
    "16-bit colour": (
        png(2, 16, RGB, struct.pack(">6H", 9, 9, 9, 40_000, 40_000, 40_000), struct.pack(">3H", 9, 9, 9)),
        156,
    ),
    "8-bit colour": (png(2, 8, RGB, bytes((1, 2, 3, 4, 4, 4)), struct.pack(">3H", 1, 2, 3)), 4),
    "palette": (png(2, 8, PALETTE, bytes((0, 1)), bytes((0,)), bytes((9, 9, 9, 4, 4, 4))), 4),
    "1-bit palette": (png(2, 1, PALETTE, bytes((0b0100_0000,)), bytes((0, 255)), bytes((9, 9, 9, 4, 4, 4))), 4),
}


@pytest.mark.parametrize("case", TRANSPARENT)
def test_what_is_transparent_is_white_at_every_depth(case):
    content, other = TRANSPARENT[case]
    assert decode_image(content, LIMIT)[0].tolist() == [WHITE, [other] * 3]


def test_a_palette_may_be_half_transparent():
    content = png(1, 8, PALETTE, bytes((0,)), bytes((128,)), bytes((0, 0, 0)))
    assert decode_image(content, LIMIT)[0, 0].tolist() == [127, 127, 127]


def grey(values: list[int], kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.array([values], dtype=np.uint16)).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("values", "shades", "bits"),
    [
        ([0, 4095, 2048], [0, 255, 128], "12"),
        ([0, 1023], [0, 64], "12"),
        ([0, 255, 7], [0, 255, 7], "8"),
        ([0, 4096], [0, 16], ""),
        ([0, 65535, 257], [0, 255, 1], ""),
        ([0, 0], [0, 0], ""),
    ],
)
def test_few_bits_in_sixteen_are_read_as_what_they_are_and_told(kind, values, shades, bits):
    found = decode(grey(values, kind), LIMIT)
    assert found.pixels[0, :, 0].tolist() == shades
    assert found.remark == (
        f"hold values of {bits} bits in 16 and are read as such (white is {2 ** int(bits) - 1})" if bits else ""
    )


def test_a_tiff_may_say_what_its_largest_value_is():
    found = decode(grey([0, 8191, 16383], "TIFF", tiffinfo={281: 16383}), LIMIT)
    assert (found.pixels[0, :, 0].tolist(), found.remark) == ([0, 127, 255], "")
    lies = decode(grey([0, 65535], "TIFF", tiffinfo={281: 300}), LIMIT)
    assert lies.pixels[0, :, 0].tolist() == [0, 255]


def test_where_nothing_is_white_grey_of_16_bits_is_turned_round():
    content = bytearray(grey([0, 65535, 6553], "TIFF"))
    at = content.find(struct.pack("<HHI", 262, 3, 1))
    assert at > 0, "the file says that nothing is black"
    content[at + 8] = 0
    assert decode_image(bytes(content), LIMIT)[0, :, 0].tolist() == [255, 0, 230]


def test_dark_colours_of_16_bits_are_read_as_12():
    found = decode(png(2, 16, RGB, struct.pack(">6H", 0, 0, 0, 4095, 2048, 256)), LIMIT)
    assert found.pixels[0].tolist() == [[0, 0, 0], [255, 128, 16]]
    assert found.remark.startswith("hold values of 12 bits in 16")
    dark = decode(png(2, 16, RGB, struct.pack(">6H", 0, 0, 0, 255, 128, 7)), LIMIT)
    assert dark.pixels[0].tolist() == [[0, 0, 0], [255, 128, 7]]
    assert dark.remark.startswith("hold values of 8 bits in 16")
    black = decode(png(1, 16, RGB, struct.pack(">3H", 0, 0, 0)), LIMIT)
    assert (black.pixels[0].tolist(), black.remark) == ([[0, 0, 0]], "")
    assert decode(png(1, 8, RGB, bytes((0, 3, 15))), LIMIT).pixels[0].tolist() == [[0, 3, 15]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_dark_colours_of_a_tiff_of_either_byte_order(order: str):
    values = struct.pack(f"{order}6H", 0, 1, 0, 4095, 2048, 256)
    tags = [(256, 3, 1, 2), (257, 3, 1, 1), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 14),
            (277, 3, 1, 3), (278, 3, 1, 1), (279, 4, 1, len(values))]  # fmt: skip
    written = [
        struct.pack(f"{order}HHI", *tag[:3])
        + (struct.pack(f"{order}HH", tag[3], 0) if tag[1] == 3 and tag[2] == 1 else struct.pack(f"{order}I", tag[3]))
        for tag in tags
    ]
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 14 + len(values))
    depths = struct.pack(f"{order}3H", 16, 16, 16)
    content = start + depths + values + struct.pack(f"{order}H", len(tags)) + b"".join(written) + bytes(4)
    assert decode(content, LIMIT).pixels[0].tolist() == [[0, 0, 0], [255, 128, 16]]


def floats(values: list[float]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.array([values], dtype=np.float32)).save(stream, "TIFF")
    return stream.getvalue()


def test_floats_from_0_to_1_are_read_and_told():
    found = decode(floats([0.0, 0.5, 1.0]), LIMIT)
    assert found.pixels[0, :, 0].tolist() == [0, 128, 255]
    assert found.remark == "hold floating-point values and are read with white at 1"


@pytest.mark.parametrize("values", [[0.0, 1.5], [-0.1, 1.0], [0.0, float("nan")], [0.0, float("inf")], [0.0, 3000.0]])
def test_other_floats_have_no_white(values):
    with pytest.raises(Unreadable, match=r"^has floating-point pixels from .* whose white is not defined; scale them"):
        decode(floats(values), LIMIT)


@pytest.mark.parametrize("values", [[0, 70_000], [-1, 5]])
def test_pixels_beyond_16_bits_have_no_white(values):
    stream = io.BytesIO()
    Image.fromarray(np.array([values], dtype=np.int32)).save(stream, "TIFF")
    with pytest.raises(Unreadable, match=r"^has pixels beyond 16 bits"):
        decode(stream.getvalue(), LIMIT)


def test_inks_are_turned_round_only_where_adobe_has_written_them():
    inks = Image.new("CMYK", (8, 8), (200, 10, 20, 30))
    stream = io.BytesIO()
    inks.save(stream, "JPEG", quality=100)
    adobe = stream.getvalue()
    at = adobe.find(b"\xff\xee")
    assert at > 0
    plain = adobe[:at] + adobe[at + 2 + struct.unpack(">H", adobe[at + 2 : at + 4])[0] :]
    np.testing.assert_allclose(decode_image(adobe, LIMIT)[0, 0], inks.convert("RGB").getpixel((0, 0)), atol=3)
    other = Image.new("CMYK", (8, 8), (55, 245, 235, 225)).convert("RGB").getpixel((0, 0))
    np.testing.assert_allclose(decode_image(plain, LIMIT)[0, 0], other, atol=3)


@pytest.mark.parametrize("mode", ["YCbCr", "1", "CMYK", "RGBX", "L", "RGBA", "LA"])
def test_white_is_white_in_every_mode_of_tiff(mode):
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), "white").convert(mode).save(stream, "TIFF")
    assert decode_image(stream.getvalue(), LIMIT).min() == 255


def test_a_picture_that_is_open_already_follows_the_same_rules():
    opened = Image.open(io.BytesIO(grey([0, 4095], "PNG")))
    assert decode_picture(opened, LIMIT)[0, :, 0].tolist() == [0, 255]
    with pytest.raises(Unreadable, match=r"has 30 x 20 pixels, more than data.max_pixels allows \(599\)"):
        decode_picture(Image.new("RGB", (30, 20)), 599)


@pytest.mark.parametrize(("bits", "kind"), [(64, 3), (16, 3), (64, 1)])
def test_a_tiff_of_pixels_that_nobody_reads_is_not_called_damaged(bits, kind):
    tags = [(256, 3, 1), (257, 3, 1), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 3, 1)]
    tags += [(279, 4, bits // 8), (339, 3, kind)]
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, sort, 1, value) for tag, sort, value in tags
    )
    content = b"II*\0" + struct.pack("<I", 8 + bits // 8) + bytes(bits // 8) + directory + struct.pack("<I", 0)
    with pytest.raises(Unreadable, match=r"^is a TIFF of pixels that are not read; save it as grey or RGB"):
        decode(content, LIMIT)
