"""A folder of images for each class: ``path/<class>/**``, or ``path/{train,val,test}/<class>/**``."""

import os
from pathlib import Path

from graft.data.labelled_folders import SampleFiles, files_below, list_labelled_files
from graft.data.listing import Listing, Progress
from graft.modalities.image.read import FileReader
from graft.spec.modalities.image import ImageFolderData

# Formats that cannot be read are listed too: they are then quarantined by name instead of vanishing without a word.
_READABLE = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
_KNOWN_OTHER = {
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".jxl",
    ".psd",
    ".svg",
    ".ico",
    ".ppm",
    ".pgm",
    ".dng",
    ".cr2",
    ".nef",
    ".arw",
}
_IMAGE_SUFFIXES = _READABLE | _KNOWN_OTHER | {""}


def list_image_folder(spec: ImageFolderData, progress: Progress | None = None) -> Listing:
    """List a directory with one folder of images for each class (`graft.data.labelled_folders`).

    Raises:
        DataError: the directory is missing, holds no class folders, or a class folder holds no images.
    """
    found = list_labelled_files(spec.path, IMAGE_FILES, progress)
    return Listing(
        source=f"images in {found.root}",
        ids=found.ids,
        targets=found.targets,
        given=found.given,
        identity=found.identity,
        sources=found.sources,
        reader=FileReader(spec.max_pixels),
        facts={"max_pixels": spec.max_pixels},
        ignored=found.ignored,
    )


def image_files(directory: Path) -> list[Path]:
    """All files below a directory whose names are those of images, sorted.

    Raises:
        DataError: a directory below cannot be read.
    """
    return files_below(directory, IMAGE_FILES)


def _is_image(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in _IMAGE_SUFFIXES


IMAGE_FILES = SampleFiles("images", _is_image, "as images")
