"""Folders of JPEG images as cameras make them, for benchmarks: smooth shapes with fine detail, some 12 KB at 224 px."""

from pathlib import Path

import numpy as np
from PIL import Image

_SHAPES = 14


def write_photos(root: Path, count: int, side: int = 224, classes: int = 3) -> Path:
    """Write images, and return their folder; one that holds as many already is left as it is."""
    folder = root / f"photos-{count}-{side}"
    if sum(1 for _ in folder.rglob("*.jpg")) == count:
        return folder
    rng = np.random.default_rng(0)
    for code in range(classes):
        (folder / f"c{code}").mkdir(parents=True, exist_ok=True)
    for place in range(count):
        code = place % classes
        colours = rng.integers(0, 200, (_SHAPES, _SHAPES, 3))
        colours[:, :, code % 3] += 55
        shapes = Image.fromarray(colours.astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
        fine = Image.fromarray(rng.integers(0, 40, (side // 2, side // 2), dtype=np.uint8)).resize((side, side))
        pixels = np.asarray(shapes, np.int16) + np.asarray(fine, np.int16)[:, :, None] - 20
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(folder / f"c{code}" / f"{place:06d}.jpg", quality=80)
    return folder
