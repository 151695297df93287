"""Real pictures of three domains, as arrays: emoji, clip art and clothes; from files of Debian's packages."""

import gzip
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from graft.data.read import Unreadable
from graft.modalities.image.decode import decode_image
from graft.modalities.image.storage import StoredImages, square

CLIP_ART = ("animals", "food", "people", "transportation", "buildings", "plants", "computer", "geography")
_MOST_OF_A_CLASS, _FEWEST_OF_A_CLASS = 260, 20
# The one size in which the font holds its pictures.
_FONT_SIZE, _GLYPH = 109, 136

Pictures = tuple[np.ndarray, np.ndarray]
"""uint8 pixels [N, side, side, channels], and codes int64 [N]."""


def emoji(root: Path, side: int) -> Pictures:
    """Emoji of one character by their groups: packages fonts-noto-color-emoji and unicode-data."""
    font = ImageFont.truetype(str(root / "fonts/truetype/noto/NotoColorEmoji.ttf"), _FONT_SIZE)
    squares, labels, groups = [], [], dict[str, int]()
    for line in (root / "unicode/emoji/emoji-test.txt").read_text().splitlines():
        if line.startswith("# group:"):
            group = line.removeprefix("# group:").strip()
        elif "; fully-qualified" in line and len(points := line.split(";")[0].replace("FE0F", "").split()) == 1:
            picture = Image.new("RGB", (_GLYPH, _GLYPH), "white")
            ImageDraw.Draw(picture).text((0, 0), chr(int(points[0], 16)), font=font, embedded_color=True)
            squares.append(square(np.asarray(picture), StoredImages(side)))
            labels.append(groups.setdefault(group, len(groups)))
    codes = np.array(labels, dtype=np.int64)
    often = np.flatnonzero(np.bincount(codes) >= _FEWEST_OF_A_CLASS)
    kept = np.isin(codes, often)
    return np.stack(squares)[kept], np.searchsorted(often, codes[kept])


def clip_art(root: Path, side: int) -> Pictures:
    """Drawings by their subjects: package openclipart-png."""
    return drawings(root, side, CLIP_ART)


def drawings(root: Path, side: int, subjects: Sequence[str]) -> Pictures:
    """Those of some subjects."""
    squares, labels = [], []
    for code, name in enumerate(subjects):
        files = sorted((root / "openclipart/png" / name).rglob("*.png"))
        random.Random(0).shuffle(files)
        for path in files[:_MOST_OF_A_CLASS]:
            try:
                squares.append(square(decode_image(path.read_bytes(), 4_000_000, min_side=32), StoredImages(side)))
            except Unreadable:
                continue
            labels.append(code)
    return np.stack(squares), np.array(labels, dtype=np.int64)


def fashion(root: Path, side: int, count: int = 3000) -> Pictures:
    """The first clothes of Fashion-MNIST: package dataset-fashion-mnist."""
    folder = root / "datasets/fashion-mnist"
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + count * 784)[16:], np.uint8).reshape(count, 28, 28)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(8 + count)[8:], np.uint8).astype(np.int64)
    return np.stack([square(one, StoredImages(side, 1)) for one in images]), labels


def digits(root: Path, side: int) -> Pictures:
    """scikit-learn's digits, which are there without any file: for a quick look at the benchmark itself."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = [square((one * 15.9).astype(np.uint8), StoredImages(side, 1)) for one in found.images]
    return np.stack(images), found.target.astype(np.int64)


SETS: dict[str, Callable[[Path, int], Pictures]] = {
    "emoji": emoji,
    "clip_art": clip_art,
    "fashion": fashion,
    "digits": digits,
}
