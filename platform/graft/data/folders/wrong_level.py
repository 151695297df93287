"""A path that is one level too high or too low: says which one is right. Pure."""

import os
import re
from collections import Counter
from collections.abc import Sequence

from graft.core.errors import DataError
from graft.data.folders.paths import SampleFiles, printable
from graft.data.folders.readings import in_yaml, listed
from graft.data.folders.tree import Folder, Tree
from graft.data.overview import told_ignored
from graft.data.splits.names import split_of

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".feather", ".arrow")
# A word, a number that tells the files of one word apart, and a suffix.
_NUMBERED = re.compile(r"(.*[^\W\d_])[\W_]*\d+[\W_]*\.\w+$")
_FEWEST_OF_A_NAME, _MOST_NAMES = 3, 0.9


def nothing_found(tree: Tree, samples: SampleFiles) -> DataError:
    """What to say of a directory without folders of samples."""
    rule = f"but must hold one folder of {samples.noun} for each class"
    if tree.top.samples:
        return DataError(f"{tree.root} holds {samples.noun} directly, {rule}{_too_low(tree, samples)}")
    left_out = (*tree.ignored, *tree.unreadable)
    found = f" (left out: {told_ignored(left_out)})" if left_out else ""
    return DataError(f"{tree.root} holds no {samples.noun}, {rule}{found}; {_what_else(tree, samples)}")


def check_one_folder(tree: Tree, samples: SampleFiles) -> None:
    """Refuse a directory that holds nothing but the directory that is meant.

    Raises:
        DataError: names the path that is right.
    """
    right = _inside(tree.top)
    if right is tree.top:
        return
    are = "splits" if any(split_of(folder.name) for folder in right.filled) else "classes"
    above = printable(right.path.partition("/")[0])
    raise DataError(
        f"data.path is {tree.root}, which holds {samples.noun} in the folder {above} only, but must be the directory "
        f"of the {are} {_names(right)}: write data.path: {in_yaml(tree.at(right.path))}"
    )


def alone(tree: Tree, samples: SampleFiles) -> str:
    """What to do where nothing can be told apart, because there is one label only; empty for nothing but the usual."""
    table = _first_of(tree, _TABLES)
    return _as_table(tree, table) if table is not None else labels_beside(tree, samples)


def labels_beside(tree: Tree, samples: SampleFiles) -> str:
    """What to do about files in which another program keeps labels; empty where there are none."""
    for suffix, advice in samples.beside.items():
        if (name := _first_of(tree, (suffix,))) is not None:
            return advice.format(name=name, path=in_yaml(tree.at(name)))
    return ""


def check_wrapped(tree: Tree, split: Folder, samples: SampleFiles) -> None:
    """Refuse a split whose folders of labels lie one level deeper than they must.

    Raises:
        DataError: names the folder that they lie in.
    """
    right = _inside(split)
    if right is not split:
        raise DataError(
            f"{tree.at(split.path)} holds {samples.noun} in the folder {printable(split.filled[0].name)} only, but "
            f"must hold the classes {_names(right)} themselves; move them up from {printable(tree.at(right.path))}"
        )


def _inside(folder: Folder) -> Folder:
    """The folder that has several with samples in it, if all above have one only; else the folder itself."""
    deeper = folder
    while not deeper.samples and len(deeper.filled) == 1:
        child = deeper.filled[0]
        if deeper is not folder and split_of(child.name) and child.filled and not child.samples:
            return deeper
        deeper = child
    return deeper if len(deeper.filled) > 1 and not deeper.samples else folder


def _names(folder: Folder) -> str:
    return listed([printable(inside.name) for inside in folder.filled])


def _too_low(tree: Tree, samples: SampleFiles) -> str:
    told = labels_beside(tree, samples)
    if told or not tree.beside:
        advice = "; sort them into such folders, or name a table of their labels: data: {kind: table, …}"
        return "; ".join(filter(None, (advice, told, _by_name(tree.top.samples))))
    parent = os.path.dirname(tree.root)
    beside = listed([printable(name) for name in sorted({os.path.basename(tree.root), *tree.beside})])
    if split_of(os.path.basename(parent)):
        whole = printable(os.path.dirname(parent))
        right = f"write data.path: {in_yaml(whole)} for this and other splits"
        return f"; the classes {beside} lie in {printable(parent)}: {right}"
    return f"; the classes {beside} lie one level higher: write data.path: {in_yaml(parent)}"


def _by_name(files: Sequence[str]) -> str:
    """What to do where the names of files seem to begin with the class, as in cat.12.jpg; empty where they do not."""
    counts = Counter(found[1] for file in files if (found := _NUMBERED.match(file)))
    often = sorted(name for name, count in counts.items() if count >= _FEWEST_OF_A_NAME)
    if len(often) < 2 or sum(counts[name] for name in often) < _MOST_NAMES * len(files):
        return ""
    first = printable(often[0])
    return (
        f"their names begin with {listed([printable(name) for name in often])}: if these are the classes, move "
        f"{first}* into a folder {first}, and so on"
    )


def _what_else(tree: Tree, samples: SampleFiles) -> str:
    archive, table = _first_of(tree, _ARCHIVES), _first_of(tree, _TABLES)
    if archive is not None:
        return f"unpack {archive}"
    if table is not None:
        return _as_table(tree, table)
    return f"check the path, and that {samples.noun} are named {samples.named}"


def _first_of(tree: Tree, suffixes: Sequence[str]) -> str | None:
    """A file that was left out for one of these suffixes."""
    found = {one.reason.removeprefix("suffix "): one.examples[0] for one in tree.ignored if one.examples}
    return next((name for suffix, name in found.items() if suffix in suffixes), None)


def _as_table(tree: Tree, table: str) -> str:
    return f"if {table} says what they are, write data: {{kind: table, path: {in_yaml(tree.at(table))}, …}}"
