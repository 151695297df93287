"""Pools for `explore.py`, as sets of features: emoji, digits, clip art and clothes.

    python tests/benchmarks/pools.py ROOT FOLDER

ROOT is the usr/share of Debian's packages fonts-noto-color-emoji, unicode-data, openclipart-png and
dataset-fashion-mnist. FOLDER gets the pictures in class folders, and a `.npz` of each set.
"""

import sys
from pathlib import Path

import numpy as np
from explore import write_features
from PIL import Image
from small_sets import digits, drawings, emoji, fashion

SUBJECTS = (
    *("recreation", "people", "transportation", "food", "animals", "tools"),
    *("office", "geography", "plants", "buildings", "education", "electronics"),
)
GARMENTS = 7000
SIDES = {"emoji": 160, "digits": 96, "clip_art": 160, "fashion": 64}
"""In pixels."""


def pictures_of(name: str, root: Path, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and codes of a set."""
    made = {
        "emoji": lambda: emoji(root, side),
        "digits": lambda: digits(root, side),
        "clip_art": lambda: drawings(root, side, SUBJECTS),
        "fashion": lambda: fashion(root, side, GARMENTS),
    }
    return made[name]()


def write_pool(name: str, root: Path, folder: Path) -> Path:
    """Pictures in class folders, and what EfficientNet-Lite0 makes of them at the size of the set."""
    pixels, codes = pictures_of(name, root, SIDES[name])
    for place, (one, code) in enumerate(zip(pixels, codes.tolist(), strict=True)):
        path = folder / name / f"{code:02d}" / f"{place:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(one.squeeze()).save(path)
    job, target = folder / f"{name}.yaml", folder / f"{name}.npz"
    data = f"{{kind: image_folder, path: {folder.absolute() / name}}}"
    strategy = f"{{backbone: efficientnet_lite0, resolution: {SIDES[name]}}}"
    job.write_text(f"name: {name.replace('_', '-')}\ndata: {data}\nstrategy: {strategy}\n")
    write_features(job, target)
    return target


if __name__ == "__main__":
    for each in SIDES:
        print(write_pool(each, Path(sys.argv[1]), Path(sys.argv[2])), flush=True)
