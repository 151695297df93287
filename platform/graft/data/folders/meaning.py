"""What the folders of a directory mean: labels, or splits with labels in them. Pure: it sees names, and no disk.

What can be read in two ways is refused with both readings; the job says which by `data.layout` or `data.ignore`.
"""

import os
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Literal

from graft.core.errors import DataError
from graft.core.unicode_form import composed
from graft.data.folders.ambiguous import check_labels, check_split_names
from graft.data.folders.label_names import check_names_differ
from graft.data.folders.masks import check_masks
from graft.data.folders.paths import SampleFiles, printable
from graft.data.folders.readings import either, ignoring, in_yaml, listed, pattern_of
from graft.data.folders.tree import Again, Folder, Tree, join
from graft.data.folders.wrong_level import alone, check_one_folder, check_wrapped, labels_beside, nothing_found
from graft.data.overview import Ignored
from graft.data.splits.names import SplitName, split_of

Layout = Literal["auto", "classes", "splits"]
OUTSIDE = "outside the class folders"


@dataclass(frozen=True)
class Group:
    """Samples of one label and one split.

    Attributes:
        label: name of the folder.
        split: that the folder above stands for; None where there are no splits.
        folder: where the samples are.
    """

    label: str
    split: SplitName | None
    folder: Folder


@dataclass(frozen=True)
class Meaning:
    """How a directory is read.

    Attributes:
        labels: sorted.
        groups: in the order of their folders.
        ignored: what is left out, with what the walk has left out already.
        unreadable: samples that are known to be unreadable.
        alone: what to do where one label is too few; empty for nothing but the usual.
    """

    labels: tuple[str, ...]
    groups: tuple[Group, ...]
    ignored: tuple[Ignored, ...]
    unreadable: tuple[Ignored, ...] = ()
    alone: str = ""


def meaning_of(tree: Tree, samples: SampleFiles, layout: Layout = "auto") -> Meaning:
    """Decide what the folders mean.

    Args:
        tree: what there is.
        samples: what samples are called.
        layout: what the job says of it.

    Raises:
        DataError: there are two readings, or none: both, and how to say which.
    """
    top = tree.top
    _check_dangling(tree, [top])
    if not top.filled:
        raise nothing_found(tree, samples)
    has_splits = layout == "splits" or (layout == "auto" and _are_splits(tree, samples))
    groups = tuple(_groups_of_splits(tree, samples) if has_splits else _groups(tree, top, None, samples))
    parents = [folder for folder in top.filled if split_of(folder.name)] if has_splits else [top]
    _check_dangling(tree, parents)
    _check_links(tree, samples, groups, {"", *(folder.path for folder in parents)})
    if layout == "auto":
        for parent in parents:
            check_labels(tree, parent, samples)
            check_masks(tree, parent, samples)
    labels = _labels(tree, groups, is_sure=layout == "splits")
    check_names_differ([printable(label) for label in labels], f"{samples.noun} in {tree.root}")
    left_out = _left_out(tree, samples, [top, *parents], groups)
    return Meaning(labels, groups, left_out, tree.unreadable, alone(tree, samples))


def _are_splits(tree: Tree, samples: SampleFiles) -> bool:
    """Whether the folders of a directory are splits; refuses what could be either."""
    if not any(split_of(folder.name) for folder in tree.top.filled):
        check_one_folder(tree, samples)
    return check_split_names(tree, samples)


def _groups_of_splits(tree: Tree, samples: SampleFiles) -> Iterator[Group]:
    splits = [(folder, split_of(folder.name)) for folder in tree.top.folders]
    for folder, split in splits:
        if split is None and folder.count:
            raise DataError(
                f"{tree.at(folder.path)} is no split by its name, but data.layout is splits; rename it to train, val "
                f"or test, or leave it out with {ignoring([folder.name])}"
            )
    for _, split in splits:
        twice = [other.name for other, of in splits if of == split is not None]
        if len(twice) > 1:
            names = listed([printable(name) for name in twice])
            raise DataError(
                f"{tree.root} has the folders {names}, but must have one for {split}; remove the others, or "
                f"leave them out with {ignoring(twice[-1:])}"
            )
    if "train" not in {split for _, split in splits}:
        raise _without_train(tree, samples, [folder for folder, split in splits if split])
    for folder, split in splits:
        if split is not None:
            check_wrapped(tree, folder, samples)
            yield from _groups(tree, folder, split, samples)


def _without_train(tree: Tree, samples: SampleFiles, splits: Sequence[Folder]) -> DataError:
    names = listed([printable(folder.name) for folder in splits])
    if len(splits) == 1:
        only = splits[0]
        inside = listed([printable(folder.name) for folder in only.filled])
        return either(
            f"{tree.root} has the folder {names}, and none for training",
            f"these are all {samples.noun} there are, of the classes {inside}",
            f"write data.path: {in_yaml(tree.at(only.path))}",
            "the training folder is missing",
            "put a folder train beside it",
        )
    return either(
        f"{tree.root} has the folders {names}, but none for training",
        "the folder train is missing",
        "add it, or name the directory that holds it in data.path",
        f"{names} are classes",
        "write data.layout: classes",
    )


def _groups(tree: Tree, parent: Folder, split: SplitName | None, samples: SampleFiles) -> Iterator[Group]:
    """The folders of labels in a directory, or in the folder of a split."""
    if not parent.folders:
        held = f"{samples.noun} directly" if parent.count else f"no {samples.noun}"
        leave = f", or leave it out with {ignoring([parent.name])}" if parent.path else ""
        raise DataError(
            f"{tree.at(parent.path)} holds {held}, but must hold one folder of {samples.noun} for each class; sort "
            f"them into such folders{leave}"
        )
    for folder in parent.folders:
        if not folder.count:
            told = labels_beside(tree, samples) if any(one.others for one in folder.below()) else ""
            raise DataError(
                f"class folder {tree.at(folder.path)} is empty{_instead(folder, samples)}; add {samples.noun} or "
                f"remove it, or leave it out with {ignoring([folder.name])}{'; ' * bool(told)}{told}"
            )
        yield Group(composed(folder.name), split, folder)


def _instead(folder: Folder, samples: SampleFiles) -> str:
    others = sum(one.others for one in folder.below())
    broken = sum(len(one.broken) for one in folder.below())
    if broken:
        return f" (its {broken} {samples.noun} are empty, links to nothing, not downloaded, or no regular files)"
    return f" (its {others} files are not named {samples.named})" if others else ""


def _check_dangling(tree: Tree, parents: Sequence[Folder]) -> None:
    """A link to nothing where a class could be must not take it away in silence."""
    for path in tree.dangling:
        if path.rpartition("/")[0] in {parent.path for parent in parents}:
            raise DataError(
                f"{printable(tree.at(path))} is a link to something that is not there, so a class may be missing; "
                f"restore what it points to, or leave it out with {ignoring([path.rpartition('/')[2]])}"
            )


def _check_links(tree: Tree, samples: SampleFiles, groups: Sequence[Group], parents: Set[str]) -> None:
    """No folder may be in two classes or splits."""
    for link in tree.again:
        if not link.is_loop and _lie_apart(link, groups, parents):
            raise DataError(
                f"{printable(tree.at(link.path))} and {printable(tree.at(link.first))} are the same folder, so its "
                f"{samples.noun} would be in two classes or splits; remove the link, or leave it out with "
                f"{ignoring([f'/{link.path}'])}"
            )


def _lie_apart(link: Again, groups: Sequence[Group], parents: Set[str]) -> bool:
    if link.path.rpartition("/")[0] in parents:
        return True
    owners = [_owner(path, groups) for path in (link.path, link.first)]
    return owners[0] != owners[1] and None not in owners


def _owner(path: str, groups: Sequence[Group]) -> str | None:
    held = (group.folder.path for group in groups)
    return next((folder for folder in held if path == folder or path.startswith(f"{folder}/")), None)


def _labels(tree: Tree, groups: Sequence[Group], is_sure: bool) -> tuple[str, ...]:
    """All labels; those of the splits must be the same."""
    by_split: dict[SplitName | None, set[str]] = {}
    for group in groups:
        found = by_split.setdefault(group.split, set())
        if group.label in found:
            raise DataError(
                f"{tree.root} has the class `{printable(group.label)}` twice, its name written with different Unicode "
                "characters; rename or merge them"
            )
        found.add(group.label)
    trained = by_split.get("train", by_split.get(None, set()))
    for split, found in by_split.items():
        for label in sorted(found - trained):
            raise DataError(
                f"{tree.root} has the class `{printable(label)}` for validation or test, but not in train"
                f"{_nearly(label, trained)}; add it or remove it"
            )
        if not is_sure and (absent := sorted(trained - found)):
            raise _absent(tree, split, absent)
    return tuple(sorted(trained))


def _nearly(label: str, trained: set[str]) -> str:
    folded = {name.casefold().strip(): name for name in trained}
    near = folded.get(label.casefold().strip())
    return f" (there it is `{printable(near)}`)" if near else ""


def _absent(tree: Tree, split: SplitName | None, absent: Sequence[str]) -> DataError:
    one = len(absent) == 1
    return either(
        f"{tree.root} has {listed([f'`{printable(name)}`' for name in absent])} in train, but not for {split}",
        f"{'it is a class' if one else 'they are classes'} without samples for {split}",
        "write data.layout: splits",
        f"{'it holds' if one else 'they hold'} something else, such as samples without a label",
        f"write {ignoring(absent)}",
    )


def _left_out(
    tree: Tree, samples: SampleFiles, parents: Sequence[Folder], groups: Sequence[Group]
) -> tuple[Ignored, ...]:
    """What lies beside the folders of labels is left out, unless it is as much as one of them."""
    tally = tree.passed_over()
    smallest = min(group.folder.count for group in groups)
    for parent in {folder.path: folder for folder in parents}.values():
        strays = [name for name in parent.samples if os.path.splitext(name)[1]]
        if len(strays) >= smallest:
            raise _too_many_beside(tree, samples, parent, strays)
        for name in parent.samples:
            tally.add(OUTSIDE, printable(join(parent.path, name)))
    return tally.result()


def _too_many_beside(tree: Tree, samples: SampleFiles, parent: Folder, strays: Sequence[str]) -> DataError:
    found = f"{len(strays)} {samples.noun} ({printable(strays[0])}{', …' if len(strays) > 1 else ''})"
    return either(
        f"{tree.at(parent.path)} holds {found} beside the folders "
        f"{listed([printable(folder.name) for folder in parent.filled])}",
        "they belong to no class",
        f"write data.ignore: ['/{join(pattern_of(parent.path), '*.*')}']",
        "they are a class of their own",
        "move them into a folder",
    )
