"""Folders whose names can be read in two ways. Pure; each check refuses with both readings."""

import re
from collections import Counter
from collections.abc import Sequence

from graft.core.errors import DataError
from graft.core.unicode_form import composed
from graft.data.folders.paths import SampleFiles, printable
from graft.data.folders.readings import either, ignoring, in_yaml, listed, named
from graft.data.folders.tree import Folder, Tree
from graft.data.folders.wrong_level import labels_beside
from graft.data.splits.names import split_and_rest, split_of, split_within

AS_LABELS = "write data.layout: classes"
# Folders that hold the folders of labels, seldom a label themselves.
_CONTAINERS = frozenset(
    {
        "images", "image", "imgs", "img", "data", "dataset", "pictures", "photos", "raw", "original", "originals",
        "texts", "files", "samples", "augmented", "backup", "old", "new", "processed", "resized", "cropped",
    }
)  # fmt: skip
# Words for samples that nobody has looked at; "unknown" and "other" may well be told apart from the rest.
_UNLABELLED = re.compile(
    r"(?:un|non|not|not yet) ?(?:labell?ed|sorted|annotated|classified|tagged)|to ?do|to ?sort|to ?label"
)
_UNNAMED = re.compile(r"(?:new|untitled) folder(?: ?\(?\d+\)?)?")
_REDUCED = re.compile(r"[._]?(?:thumb(?:nail)?s?|previews?|resized|small)")
_COPY = re.compile(
    r"copy of (?P<a>.+)|(?P<b>.+?)(?: ?\(\d+\)| ?- copy.*|[ _-]copy(?: ?\d+)?|~"
    r"|[._-](?:aug(?:mented)?|bak|old|orig|backup))"
)


def check_split_names(tree: Tree, samples: SampleFiles) -> bool:
    """Whether the folders of a directory are its splits.

    Raises:
        DataError: some could be splits and some not, or they hold no folders of labels.
    """
    folders = tree.top.filled
    known = [folder for folder in folders if split_of(folder.name)]
    if not known:
        _check_nearly_splits(tree, folders)
        return False
    others = [folder for folder in folders if folder not in known]
    if any(_holds_labels(folder) for folder in known):
        if others:
            raise _beside_splits(tree, known, others)
        unsorted = next((folder for folder in known if not folder.filled), None)
        if unsorted is not None:
            raise _unsorted_split(tree, samples, unsorted)
        return True
    roles = {split_of(folder.name) for folder in known}
    if others and len(roles) == 1:
        return False  # pictures of a train beside those of a bus
    raise _unsorted_splits(tree, samples, known)


def check_labels(tree: Tree, parent: Folder, samples: SampleFiles) -> None:
    """Refuse folders of labels that may as well be something else.

    Raises:
        DataError: labels may lie one level deeper, or a folder may be a copy of another.
    """
    folders = parent.filled
    _check_copies(tree, folders)
    _check_unlabelled(tree, parent)
    _check_reduced(tree, samples, folders)
    nested = [folder for folder in folders if _has_folders_only(folder)]
    inside = {folder.path: {composed(one.name) for one in folder.filled} for folder in nested}
    siblings = {composed(folder.name) for folder in folders}
    for folder in nested:
        repeated = inside[folder.path] & siblings
        if repeated and (repeated == inside[folder.path] or len(repeated) > 1):
            raise _repeats(tree, folder, sorted(repeated))
        if folder.name.casefold() in _CONTAINERS and len(folder.filled) > 1 and len(folders) > 1:
            raise _container(tree, folder, folders)
    if len(nested) != len(folders) or len(folders) < 2:
        return
    names = Counter(name for found in inside.values() for name in found)
    if len({split_of(name) for name in names} - {None}) > 1 and all(map(split_of, names)):
        raise _splits_inside(tree, samples, folders, list(names))
    shared = sorted(name for name, count in names.items() if count > 1)
    if len(shared) > 1:
        raise _same_inside(tree, folders, shared)
    if all(len(folder.filled) > 1 for folder in folders):
        raise _all_nested(tree, parent, folders, list(names))


def _has_folders_only(folder: Folder) -> bool:
    return bool(folder.filled) and not folder.samples


def _holds_labels(folder: Folder) -> bool:
    """Whether folders of labels lie in it, with no more beside them than may be left out."""
    return bool(folder.filled) and len(folder.samples) < min(one.count for one in folder.filled)


def _called(folders: Sequence[Folder]) -> str:
    return listed([printable(folder.name) for folder in folders])


def _check_nearly_splits(tree: Tree, folders: Sequence[Folder]) -> None:
    _check_splits_in_names(tree, folders)
    near = [folder for folder in folders if split_within(folder.name)]
    if len({split_within(folder.name) for folder in near}) > 1 and any(map(_has_folders_only, near)):
        raise either(
            f"{tree.root} has the folders {_called(folders)}",
            "they are splits",
            "rename them to train, val and test",
            "they are classes",
            AS_LABELS,
        )


def _check_splits_in_names(tree: Tree, folders: Sequence[Folder]) -> None:
    """Folders such as `train_cats`, `train_dogs`, `test_cats`: read as classes, the split would be what is learned."""
    parted = [split_and_rest(folder.name) for folder in folders]
    known = [one for one in parted if one is not None]
    splits_of: dict[str, set[str]] = {}
    for split, rest in known:
        splits_of.setdefault(rest, set()).add(split)
    if len(known) < len(folders) or len(splits_of) < 2 or max(map(len, splits_of.values())) < 2:
        return
    raise either(
        f"{tree.root} has the folders {_called(folders)}, each with a split in its name",
        f"{listed([printable(rest) for rest in splits_of])} are the classes",
        "move them into folders train, val and test, each with a folder for each class",
        "all folders are classes",
        AS_LABELS,
    )


def _beside_splits(tree: Tree, known: Sequence[Folder], others: Sequence[Folder]) -> DataError:
    splits, rest = _called(known), _called(others)
    trains = "train" in {split_of(folder.name) for folder in known}
    are = "is" if len(others) == 1 else "are"
    first, say_first = (
        (f"{rest} {are} to be left out", f"write {ignoring([folder.name for folder in others])}")
        if trains
        else (f"{rest} {are} for training", "move into a folder train")
    )
    return either(
        f"{tree.root} has {splits}, named as splits, beside {rest}",
        f"{splits} {'is a split' if len(known) == 1 else 'are splits'} and {first}",
        say_first,
        "all of them are classes",
        AS_LABELS,
    )


def _unsorted_split(tree: Tree, samples: SampleFiles, split: Folder) -> DataError:
    return DataError(
        f"{tree.at(split.path)} holds {samples.noun} directly, but must hold one folder of {samples.noun} for each "
        f"class, as the other splits do; sort them into such folders, or leave it out with {ignoring([split.name])}"
    )


def _unsorted_splits(tree: Tree, samples: SampleFiles, known: Sequence[Folder]) -> DataError:
    is_one, told = len(known) == 1, labels_beside(tree, samples)
    return either(
        f"{tree.root} has {_called(known)}, named as {'a split' if is_one else 'splits'}, with {samples.noun} directly "
        f"in {'it' if is_one else 'them'}",
        "it is a split" if is_one else "they are splits",
        f"sort its {samples.noun} into one folder for each class, or name a table of their labels: data: "
        f"{{kind: table, …}}{'; ' * bool(told)}{told}",
        "it is a class" if is_one else "they are classes",
        AS_LABELS,
    )


def _check_copies(tree: Tree, folders: Sequence[Folder]) -> None:
    there = {composed(folder.name).casefold(): folder for folder in folders}
    for folder in folders:
        if _UNNAMED.fullmatch(folder.name.casefold()):
            raise either(
                f"{tree.at(folder.path)} has the name that a system gives to a new folder",
                "what is in it is not sorted yet",
                f"sort it, or write {ignoring([folder.name])}",
                "it is a class",
                AS_LABELS,
            )
        match = _COPY.fullmatch(composed(folder.name).casefold())
        original = there.get((match["a"] or match["b"]).strip()) if match else None
        if original is not None:
            raise either(
                f"{tree.at(folder.path)} is named as a copy of {named(original)}",
                "it is one",
                f"leave it out with {ignoring([folder.name])}",
                "it is a class",
                AS_LABELS,
            )


def _check_unlabelled(tree: Tree, parent: Folder) -> None:
    for folder in parent.filled:
        if _UNLABELLED.fullmatch(" ".join(re.split(r"[\s_-]+", folder.name.casefold().strip()))):
            raise either(
                f"{tree.at(folder.path)} has the name of samples without a label",
                "nobody has labelled them",
                f"leave them out with {ignoring([folder.name])}",
                "it is a class",
                "write data.layout: splits" if parent.path else AS_LABELS,
            )


def _check_reduced(tree: Tree, samples: SampleFiles, folders: Sequence[Folder]) -> None:
    """Thumbnails beside what they show would be the same sample twice, once in training and once in the test."""
    for folder in (one for group in folders for one in group.below()):
        for inside in folder.folders:
            if _REDUCED.fullmatch(inside.name.casefold()) and set(inside.samples) & set(folder.samples):
                raise either(
                    f"{tree.at(inside.path)} holds {samples.noun} of the same names as those beside it",
                    "they are smaller copies of them",
                    f"write {ignoring([inside.name])}",
                    f"they are other {samples.noun}",
                    AS_LABELS,
                )


def _repeats(tree: Tree, folder: Folder, repeated: Sequence[str]) -> DataError:
    names = listed([printable(name) for name in repeated])
    return either(
        f"{tree.at(folder.path)} holds the folders {names}, which lie beside it too",
        "it holds more of the same classes",
        f"merge them, or leave it out with {ignoring([folder.name])}",
        "it is a class itself",
        AS_LABELS,
    )


def _container(tree: Tree, folder: Folder, folders: Sequence[Folder]) -> DataError:
    others = _called([one for one in folders if one is not folder])
    return either(
        f"{tree.root} has the folder {named(folder)} with {_called(folder.filled)} in it, beside {others}",
        f"the classes lie in {named(folder)}",
        f"write data.path: {in_yaml(tree.at(folder.path))}",
        f"{_called(folders)} are the classes",
        AS_LABELS,
    )


def _splits_inside(tree: Tree, samples: SampleFiles, folders: Sequence[Folder], names: Sequence[str]) -> DataError:
    return either(
        f"{tree.root} has {listed([printable(name) for name in sorted(names)])} in each of {_called(folders)}",
        "the splits lie inside the classes",
        f"move them above, as in {printable(sorted(names)[-1])}/{named(folders[0])}",
        f"all {samples.noun} of a class belong together",
        AS_LABELS,
    )


def _same_inside(tree: Tree, folders: Sequence[Folder], shared: Sequence[str]) -> DataError:
    names = listed([f"`{printable(name)}`" for name in shared])
    return either(
        f"{tree.root} has the folders {_called(folders)}, each with {names} in it",
        f"{names} are the classes",
        f"name one of the folders, such as data.path: {in_yaml(tree.at(folders[0].path))}, or rename them to train, "
        "val and test",
        f"{_called(folders)} are the classes",
        AS_LABELS,
    )


def _all_nested(tree: Tree, parent: Folder, folders: Sequence[Folder], names: Sequence[str]) -> DataError:
    inside = listed([printable(name) for name in sorted(names)])
    return either(
        f"{tree.at(parent.path)} has the folders {_called(folders)}, with {inside} in them",
        f"there are {len(folders)} classes, {_called(folders)}",
        AS_LABELS,
        f"there are {len(names)}, one level deeper",
        "move them up",
    )
