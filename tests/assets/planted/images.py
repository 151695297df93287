"""A folder of images with planted faults."""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance
from tests.assets.planted import Planted

Picture = np.ndarray
LEAST_SIDE = 32


def plant_images(
    root: Path, pictures: Sequence[Picture], labels: Sequence[str], share: float = 0.01, seed: int = 0
) -> Planted:
    """Write ``root/{train,test}/<label>/*.png`` with so large a share of each fault.

    Args:
        root: of the folder.
        pictures: uint8 [H, W, 3] or [H, W] each.
        labels: one each.
        share: of the pictures that get each fault.
        seed: of all choices.
    """
    each = max(round(share * len(pictures)), 2)
    faults = _drawn(pictures, labels, each, np.random.default_rng(seed))
    corpus = _Corpus(root, sorted(set(labels)), np.random.default_rng(seed + 1))
    for row, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        corpus.add(row, Image.fromarray(picture), label, faults.get(row, ""))
    for number in range(each):
        bomb = png_bomb(40_000 + number, 40_000)
        corpus.write("bomb", "train", corpus.names[number % len(corpus.names)], f"bomb{number}.png", bomb)
    return Planted(root, {fault: frozenset(found) for fault, found in corpus.faults.items()})


def _drawn(pictures: Sequence[Picture], labels: Sequence[str], each: int, draw: np.random.Generator) -> dict[int, str]:
    """Row -> its fault; near copies share one quota, and are made of pictures that a hash can see."""
    order = [int(row) for row in draw.permutation(len(pictures))]
    large = {row for row in order if min(pictures[row].shape[:2]) >= LEAST_SIDE}
    first = min(labels)
    found: dict[int, str] = {}
    for fault in ("flip", "flip_pair", "patch", "truncated", "copy", "leak", *CHANGES):
        hashed = fault not in ("flip", "flip_pair", "truncated")
        fits = [row for row in order if row not in found and (not hashed or row in large)]
        fits = [row for row in fits if fault != "patch" or labels[row] != first]
        found.update(dict.fromkeys(fits[: -(-each // 3) if fault in CHANGES else each], fault))
    return found


class _Corpus:
    """The folder that is being written.

    Args:
        root: of it.
        names: of all labels.
        draw: chooses wrong labels.
    """

    def __init__(self, root: Path, names: Sequence[str], draw: np.random.Generator) -> None:
        self.root, self.names, self.draw = root, list(names), draw
        self.faults: dict[str, set[str]] = {}

    def add(self, row: int, image: Image.Image, label: str, fault: str) -> None:
        """A picture, and what is made of it."""
        has_twin = fault in ("copy", "leak") or fault in CHANGES
        split = "test" if row % 5 == 4 and not has_twin else "train"
        if fault in ("flip", "flip_pair"):
            step = 1 if fault == "flip_pair" else int(self.draw.integers(1, len(self.names)))
            label = self.names[(self.names.index(label) + step) % len(self.names)]
        if fault == "patch":
            image, label = _patched(image), self.names[0]
        content = _png(image)
        if fault == "truncated":
            content = content[: len(content) * 6 // 10]
        # Of a copy in both splits, what is told is the one in training.
        self.write("" if has_twin and fault != "leak" else fault, split, label, f"{row:05d}.png", content)
        if has_twin:
            twin = CHANGES[fault](image) if fault in CHANGES else content
            place = ("", "test") if fault == "leak" else (fault, "train")
            self.write(*place, label, f"{row:05d}_{fault}.png", twin)

    def write(self, fault: str, split: str, label: str, name: str, content: bytes) -> None:
        """A file, noted under its fault."""
        target = self.root / split / label / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        if fault:
            self.faults.setdefault(fault, set()).add(target.relative_to(self.root).as_posix())


def png_bomb(width: int, height: int) -> bytes:
    """A few hundred bytes that promise a picture of gigabytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(b"\0" * 4096)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _patched(image: Image.Image) -> Image.Image:
    """A square of a ninth of the side in the lower right corner, of a colour that few pictures have."""
    pixels = np.array(image.convert("RGB"))
    side = max(min(pixels.shape[:2]) // 8, 3)
    pixels[-side - 2 : -2, -side - 2 : -2] = (255, 0, 200)
    return Image.fromarray(pixels)


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=60)
    return stream.getvalue()


def _cropped(image: Image.Image) -> bytes:
    edge = max(1, image.width // 24)
    return _png(image.crop((edge, edge, image.width - edge, image.height - edge)))


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "near_jpeg": _jpeg,
    "near_resize": lambda image: _png(image.resize((int(image.width * 0.7), int(image.height * 0.7)))),
    "near_brightness": lambda image: _png(ImageEnhance.Brightness(image.convert("RGB")).enhance(0.85)),
    "near_crop": _cropped,
}
