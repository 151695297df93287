"""A look at a directory of labelled files: names and counts, and the first bytes of a few files."""

import itertools
import os
from collections.abc import Iterator

from graft.core.errors import DataError
from graft.data.folders.label_names import check_label_names
from graft.data.folders.look import look_below
from graft.data.folders.meaning import Meaning, meaning_of
from graft.data.folders.paths import SampleFiles, printable
from graft.data.folders.tree import join
from graft.data.overview import Overview, Progress, overview_of_counts
from graft.data.splits.names import SplitName
from graft.spec.modalities.folder import FolderSource

_LOOKED_AT, _OF_EACH, _FIRST_BYTES = 60, 3, 512


def folder_overview(spec: FolderSource, samples: SampleFiles, progress: Progress | None = None) -> Overview:
    """What a directory holds.

    Raises:
        DataError: it can be read in two ways, or in none; or more samples than `data.max_unreadable` allows are links
            to nothing, or empty; or most of the few that are looked into are none that can be read.
    """
    tree = look_below(spec.path, samples, spec.ignore, progress)
    meaning = meaning_of(tree, samples, spec.layout)
    labels = [printable(label) for label in meaning.labels]
    check_label_names(labels, f"{samples.noun} in {tree.root}", meaning.alone)
    _check_broken(tree.root, meaning, samples, spec.max_unreadable)
    if tree.places is None:
        _check_few(tree.root, meaning, samples)
    found: dict[str, dict[SplitName | None, int]] = {label: {} for label in labels}
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
        shown = printable(broken[0])
        raise DataError(
            f"{len(broken)} of {total} {samples.noun} in {root} are empty, links to nothing, not downloaded, or no "
            f"regular files ({shown}), but data.max_unreadable allows {most:g}; restore them, or what they point to"
        )


def _check_few(root: str, meaning: Meaning, samples: SampleFiles) -> None:
    """Photos of a kind that is not read, or pointers in their place: all of them, where most of a few are."""
    few = list(itertools.islice(_few_of_each(meaning), _LOOKED_AT))
    reasons = {name: reason for name in few if (reason := samples.foreign(_start_of(os.path.join(root, name))))}
    if 2 * len(reasons) > len(few):
        name, reason = next(iter(reasons.items()))
        raise DataError(
            f"{len(reasons)} of {len(few)} {samples.noun} that were looked into in {root} cannot be read; the first, "
            f"{printable(name)}, {reason}"
        )


def _few_of_each(meaning: Meaning) -> Iterator[str]:
    for group in meaning.groups:
        names = (join(folder.path, name) for folder in group.folder.below() for name in folder.samples)
        yield from itertools.islice(names, _OF_EACH)


def _start_of(path: str) -> bytes:
    """The first bytes of a file; none of one that cannot be read now: who reads it all says so."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            return stream.read(_FIRST_BYTES)
    except OSError:
        return b""
