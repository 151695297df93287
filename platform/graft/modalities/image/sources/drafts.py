"""What a path of images in other forms than folders may be: arrays, annotations, tables beside them."""

import json
from pathlib import Path
from typing import Any

from graft.core.errors import DataError
from graft.data.arrays.npy_files import ARCHIVE, PLAIN
from graft.data.draft import Draft, Wish
from graft.data.read import Unreadable, read_file
from graft.modalities.image.draft import fitted_to_side
from graft.modalities.image.sources.coco import list_coco
from graft.modalities.image.sources.metadata import list_metadata, tables_in
from graft.modalities.image.sources.numpy import list_numpy
from graft.spec.modalities.image import CocoData, MetadataData, NumpyData

_COCO = ("images", "annotations", "categories")


def draft_numpy(path: Path, wish: Wish) -> Draft | None:
    """An archive of arrays, or a directory of them.

    Raises:
        DataError: one is damaged, or none is of images and of labels.
    """
    is_archive = path.is_file() and path.suffix.lower() == ARCHIVE
    if not is_archive and not (path.is_dir() and len(list(path.glob(f"*{PLAIN}"))) > 1):
        return None
    named = {"samples": wish.sample, "labels": wish.labels[0]} if wish.sample and wish.labels else {}
    section: dict[str, Any] = {key: value for key, value in named.items() if value}
    listing = list_numpy(NumpyData(path=path, **section))
    return Draft("numpy", path, len(listing), section, fitted_to_side(int(listing.facts["native_side"])))


def draft_coco(path: Path, wish: Wish) -> Draft | None:
    """A JSON file with images, annotations and categories.

    Raises:
        DataError: its images are not where they could be, or it is damaged.
    """
    if not path.is_file() or path.suffix.lower() != ".json" or not _is_coco(path):
        return None
    return Draft("coco", path, len(list_coco(CocoData(path=path))))


def draft_metadata(path: Path, wish: Wish) -> Draft | None:
    """A directory with ``metadata.csv`` or its like, if it names files and labels.

    Raises:
        DataError: it does not, and the user has named this kind.
    """
    if not path.is_dir() or not tables_in(path):
        return None
    section = {"file": wish.sample} if wish.sample else {}
    section |= {"label": wish.labels[0]} if wish.labels else {}
    spec = MetadataData.model_validate({"path": str(path), **section})
    try:
        return Draft("image_metadata", path, len(list_metadata(spec)), section)
    except DataError:
        if wish.kind is None:  # a table of something else beside the images
            return None
        raise


def _is_coco(path: Path) -> bool:
    try:
        found = json.loads(read_file(path))
    except (Unreadable, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and all(isinstance(found.get(key), list) for key in _COCO)
