"""Broken and hostile images and texts, made when they are asked for: none is larger than it must be."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image
from tests.assets.planted.images import png_bomb

BOM = b"\xef\xbb\xbf"


def hostile_images() -> Iterator[tuple[str, bytes]]:
    """File name and content of each."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    whole = {kind: _saved(pixels, kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")}
    for kind, content in whole.items():
        for part in (4, 20, 50, 95):
            yield f"cut{part}.{kind.lower()}", content[: len(content) * part // 100]
        damaged = bytearray(content)
        damaged[len(damaged) // 3 : len(damaged) // 3 + 40] = b"\xff" * 40
        yield f"scratched.{kind.lower()}", bytes(damaged)
    yield "empty.png", b""
    yield "zeros.png", bytes(5000)
    yield "text.png", b"not an image at all\n" * 50
    yield "page.jpg", b"<html><script>alert(1)</script></html>"
    yield "program.gif", b"MZ" + bytes(range(256)) * 8
    yield "archive.png", _zipped({"a.png": whole["PNG"]})
    yield "archive.jpg", gzip.compress(whole["JPEG"])
    yield "archive_behind.png", whole["PNG"] + _zipped({"../../evil.sh": b"rm -rf /"})
    yield "polyglot.gif", b"GIF89a/*" + whole["JPEG"] + b"*/=1;"
    yield "bomb.png", png_bomb(60_000, 60_000)
    yield "widest.png", png_bomb(2**31 - 1, 1)
    yield "longest.png", png_bomb(1, 2**31 - 1)
    yield "nothing.png", png_bomb(0, 0)
    yield (
        "bomb.gif",
        b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0\0\0\0\xff\xff\xff" + b",\0\0\0\0" + b"\xff" * 5,
    )
    yield "bomb.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "bomb.tiff", _tiff({256: 2**30, 257: 2**30, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2**30, 279: 2**31})
    yield "circle.tiff", _tiff({256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 279: 16}, following=8)
    yield "text_chunk_bomb.png", _with_chunk(whole["PNG"], b"zTXt", b"k\0\0" + zlib.compress(bytes(60 << 20), 9))
    yield "profile_bomb.png", _with_chunk(whole["PNG"], b"iCCP", b"k\0\0" + zlib.compress(bytes(60 << 20), 9))
    yield "profile_broken.png", _with_chunk(whole["PNG"], b"iCCP", b"icc\0\0" + b"\x01" * 99)
    yield "wrong_name.png", whole["JPEG"]
    yield (
        "exif_broken.jpg",
        whole["JPEG"][:2] + b"\xff\xe1\x00\x20Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 16 + whole["JPEG"][2:],
    )
    yield "segment_lies.jpg", whole["JPEG"][:2] + b"\xff\xe1\xff\xff" + whole["JPEG"][2:]
    yield "size_lies.jpg", whole["JPEG"].replace(struct.pack(">HH", 40, 40), struct.pack(">HH", 65500, 65500), 1)
    yield "many_frames.gif", _frames(200)
    yield "vectors.png", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "script.jpg", b"%!PS-Adobe-3.0\n(/etc/passwd) (r) file\n"


def hostile_texts() -> Iterator[tuple[str, bytes]]:
    """File name and content of each."""
    yield "empty.txt", b""
    yield "blank.txt", b" \t\r\n\x0b\x0c" * 20
    yield "unseen.txt", "\u200b\u200d\ufeff\u2060".encode()
    yield "marked.txt", BOM
    yield "marked_twice.txt", BOM + BOM + b"two marks, one text"
    yield "zeros.txt", bytes(2000)
    yield "one_zero.txt", b"before\0behind"
    yield "utf16.txt", "sixteen bits a letter".encode("utf-16")
    yield "utf32.txt", "thirty-two bits a letter".encode("utf-32")
    yield "latin1.txt", "für Käse".encode("latin-1")
    yield "mixed.txt", "für ".encode() + "für".encode("latin-1")
    yield "cut_letter.txt", "naïve".encode()[:3]
    yield "overlong.txt", b"\xc0\xaf is no slash"
    yield "surrogate.txt", b"\xed\xa0\x80 alone"
    yield "beyond.txt", b"\xf4\x90\x80\x80 is no character"
    yield "right_to_left.txt", "photo\u202egpj.exe and \u2066more\u2069".encode()
    yield "tags.txt", ("look" + "".join(chr(0xE0000 + ord(one)) for one in "ignore all") + " here").encode()
    yield "stacked.txt", ("z" + "\u0335\u0321\u0322" * 2000).encode()
    yield "long_line.txt", b"word " * (2 << 20)
    yield "long_word.txt", b"a" * (10 << 20)
    yield "long_look_alike.txt", "аa".encode() * (3 << 20)
    yield "long_full_width.txt", "ａ".encode() * (3 << 20)
    yield "tag_storm.txt", b"<a " * 200_000
    yield "entity_storm.txt", b"&#x1;" * 100_000
    yield "digit_storm.txt", b"4111 1111 " * 100_000
    yield "at_storm.txt", b"a@" * 200_000
    yield "damage.txt", "fÃƒÂ¼r ".encode() * 20_000
    yield "escape.txt", b"\x1b]0;owned\x07\x1b[2J visible"
    yield "picture.txt", _saved(np.zeros((9, 9, 3), np.uint8), "PNG")
    yield "archive.txt", _zipped({"a.txt": b"text"})
    yield "pickle.txt", b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."
    yield "end_mark.txt", b"before\x1abehind"
    yield "returns.txt", b"one\rtwo\r\rthree\r"
    yield "separators.txt", "one\u2028two\u2029three\x85four".encode()
    yield "noncharacters.txt", "\ufdd0\ufffe\U0010ffff".encode()


def _saved(pixels: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def _zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    """A PNG with a chunk more behind its header."""
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return png[:33] + chunk + png[33:]


def _tiff(tags: dict[int, int], following: int = 0) -> bytes:
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following)


def _frames(count: int) -> bytes:
    stream = io.BytesIO()
    frames = [Image.new("L", (8, 8), number) for number in range(count)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()
