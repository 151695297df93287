"""A folder of images for each class: ``path/<class>/**``, or ``path/{train,val,test}/<class>/**``."""

from pathlib import Path

from graft.data.folders.labelled import FilesBelow, files_below, list_labelled_files
from graft.data.listing import Listing, Progress
from graft.modalities.image.file_names import IMAGE_FILES
from graft.modalities.image.read import FileReader
from graft.spec.modalities.image import ImageFolderData


def list_image_folder(spec: ImageFolderData, progress: Progress | None = None) -> Listing:
    """List a directory with one folder of images for each class (`graft.data.folders`).

    Raises:
        DataError: the directory is missing, or its folders can be read in two ways, or in none.
    """
    found = list_labelled_files(spec, IMAGE_FILES, progress)
    return Listing(
        source=f"images in {found.root}",
        ids=found.ids,
        targets=found.targets,
        given=found.given,
        groups=found.groups,
        versions=found.versions,
        identity=found.identity,
        sources=found.sources,
        reader=FileReader(spec.max_pixels),
        facts={"max_pixels": spec.max_pixels},
        ignored=found.ignored,
        unreadable=found.unreadable,
    )


def image_files(directory: Path) -> FilesBelow:
    """All files below a directory whose names are those of images, sorted; and what is left out.

    Raises:
        DataError: a directory below cannot be read.
    """
    return files_below(directory, IMAGE_FILES)
