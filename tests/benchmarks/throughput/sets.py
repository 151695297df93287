"""The sets that searches are compared on, as a job names them; those of files are written into a cache first."""

from pathlib import Path
from typing import Any

from small.tables import write_small_set

FASHION_MNIST = "/usr/share/datasets/fashion-mnist"
"""Where the Debian package dataset-fashion-mnist puts its files."""
FIXED: dict[str, dict[str, Any]] = {
    "digits": {"kind": "digits"},
    "fashion": {"kind": "idx", "path": FASHION_MNIST, "limit": 5000},
}
# Rows to train and validate on, and to test on, at most; a set that has fewer gives a third to the test.
_SIZES = {"emoji": (5000, 1000), "deb_section": (600, 1000)}
SETS = (*FIXED, *_SIZES)


def section_of(name: str, cache: Path, assets: Path) -> dict[str, Any]:
    """What a job says of a set: its `data`.

    Args:
        name: of `SETS`.
        cache: directory of the sets that are made of files.
        assets: where files of packages were unpacked, for the pictures.
    """
    if name in FIXED:
        return dict(FIXED[name])
    made = write_small_set(name, 0, cache, assets, _SIZES[name])
    if made.kind == "image":
        return {"kind": "image_folder", "path": str(made.folder)}
    return {"kind": "table", "path": str(made.path), "text": "text", "label": "label", "split": "split"}
