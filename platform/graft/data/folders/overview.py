"""A look at a directory of labelled files: names and counts, without opening a file."""

from graft.core.errors import DataError
from graft.data.folders.look import look_below
from graft.data.folders.meaning import Meaning, meaning_of
from graft.data.folders.paths import SampleFiles, printable
from graft.data.folders.tree import join
from graft.data.overview import Overview, Progress, overview_of_counts
from graft.data.splits.names import SplitName
from graft.spec.modalities.folder import FolderSource


def folder_overview(spec: FolderSource, samples: SampleFiles, progress: Progress | None = None) -> Overview:
    """What a directory holds.

    Raises:
        DataError: it can be read in two ways, or in none; or more samples than `data.max_unreadable` allows are links
            to nothing, or empty.
    """
    tree = look_below(spec.path, samples, spec.ignore, progress)
    meaning = meaning_of(tree, samples, spec.layout)
    _check_broken(tree.root, meaning, samples, spec.max_unreadable)
    found: dict[str, dict[SplitName | None, int]] = {printable(label): {} for label in meaning.labels}
    for group in meaning.groups:
        split = None if group.split == "train" else group.split
        sizes = found[printable(group.label)]
        sizes[split] = sizes.get(split, 0) + group.folder.count
    return overview_of_counts(samples.noun, found, spec, (*meaning.ignored, *meaning.unreadable))


def _check_broken(root: str, meaning: Meaning, samples: SampleFiles, most: float) -> None:
    folders = [folder for group in meaning.groups for folder in group.folder.below()]
    broken = [join(folder.path, name) for folder in folders for name in folder.broken]
    total = len(broken) + sum(group.folder.count for group in meaning.groups)
    if len(broken) > most * total:
        raise DataError(
            f"{len(broken)} of {total} {samples.noun} in {root} are empty, links to nothing, or no regular files "
            f"({printable(broken[0])}), but data.max_unreadable allows {most:g}; restore them, or what they point to"
        )
