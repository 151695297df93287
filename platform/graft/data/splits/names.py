"""What the splits of a source may be called: folders of a directory, cells of a table's split column."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal

SplitName = Literal["train", "validation", "test"]

SPLIT_NAMES: Mapping[str, SplitName] = {
    **dict.fromkeys(("train", "training", "trn", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "vali", "dev", "devel", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tests", "tst", "eval", "evaluation", "holdout", "heldout"), "test"),
}
"""The split that a name, in lower case and without what stands around it, stands for."""

# What is said beside the name of a split, as in `train_images`, `Test Set`, `val2017`.
_FILLERS = frozenset(
    {
        "data", "dataset", "datasets", "dir", "documents", "docs", "examples", "files", "folder", "images", "image",
        "img", "imgs", "photos", "pictures", "samples", "set", "sets", "split", "text", "texts", "txt",
    }
)  # fmt: skip
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_JOINED = ("dataset", "data", "images", "imgs", "set", "split")


def split_of(name: str) -> SplitName | None:
    """The split that a name stands for, whatever its case; None if it is the name of no split."""
    words = [word for word in _words(name) if word not in _FILLERS]
    joined = "".join(words)
    for filler in _JOINED:
        joined = joined.removesuffix(filler) or joined
    return SPLIT_NAMES.get(joined)


def split_within(name: str) -> SplitName | None:
    """The split that a name speaks of among other things, as `seg_train` does; None if it speaks of none."""
    return next((SPLIT_NAMES[word] for word in _words(name) if word in SPLIT_NAMES), None)


def split_and_rest(name: str) -> tuple[SplitName, str] | None:
    """The split that a name begins or ends with, and what else it says: `train_cats`, `testA`; None if it does not."""
    words = _words(_HUMP.sub(" ", name))
    for place in (0, -1):
        if len(words) > 1 and words[place] in SPLIT_NAMES:
            return SPLIT_NAMES[words[place]], " ".join(words[1:] if place == 0 else words[:-1])
    return None


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKC", name).casefold())
