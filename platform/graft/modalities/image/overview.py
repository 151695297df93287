"""A look at each kind of image source: names and counts, without numpy and without decoding anything."""

from collections import Counter
from pathlib import Path

from graft.data.folders.overview import folder_overview
from graft.data.folders.paths import require_directory
from graft.data.overview import Overview, Progress, overview_of_counts
from graft.data.remote.here import files_here
from graft.data.splits.names import SplitName
from graft.modalities.image.file_names import IMAGE_FILES
from graft.modalities.image.sources.idx_file import (
    FILES,
    LABELS,
    brings_test,
    check_known,
    label_names,
    read_idx_bytes,
    require_idx,
)
from graft.spec.modalities.image import DigitsData, IdxData, ImageFolderData

# Of each digit; the set has not changed since 1998.
_DIGITS = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)


def digits_overview(spec: DigitsData, progress: Progress | None = None) -> Overview:
    """What scikit-learn's digits hold."""
    return overview_of_counts("images", {str(digit): {None: count} for digit, count in enumerate(_DIGITS)}, spec)


def idx_overview(spec: IdxData, progress: Progress | None = None) -> Overview:
    """What a directory of IDX files holds, by its files of labels.

    Raises:
        DataError: a file is missing or damaged, or a label has no name.
    """
    with files_here(spec.path, FILES, progress) as here:
        return _idx_overview(spec, require_directory(here.path))


def _idx_overview(spec: IdxData, directory: Path) -> Overview:
    files = {None: require_idx(directory, LABELS.format("train"))}
    by_split: dict[SplitName | None, Counter[int]] = {None: Counter(read_idx_bytes(files[None], 1)[1])}
    names, codes = label_names(spec, sorted(by_split[None]))
    if brings_test(directory):
        path = require_idx(directory, LABELS.format("t10k"))
        by_split["test"] = Counter(read_idx_bytes(path, 1)[1])
        check_known(path, sorted(by_split["test"]), codes)
    found = {
        name: {split: counts[code] for split, counts in by_split.items()}
        for name, code in zip(names, codes, strict=True)
    }
    return overview_of_counts("images", found, spec)


def image_folder_overview(spec: ImageFolderData, progress: Progress | None = None) -> Overview:
    """What a directory of images holds, by its names.

    Raises:
        DataError: it can be read in two ways, or in none.
    """
    return folder_overview(spec, IMAGE_FILES, progress)
