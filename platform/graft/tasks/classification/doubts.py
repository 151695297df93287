"""Classes that may be none, or several labels."""

from collections.abc import Iterator

import numpy as np

from graft.data.targets import Targets
from graft.tasks.doubts import says_nothing
from graft.tasks.separators import parted_by


def doubts(targets: Targets) -> Iterator[str]:
    """Classes that say that there is none, and words that make up the names of all."""
    for code, name in enumerate(targets.names):
        if says_nothing(name):
            count = int(np.sum(targets.values == code))
            yield (
                f"{count:,} rows have the label `{name}`, which is taken as a class; empty these cells if it says that "
                "nobody knows"
            )
    words = {word for name in targets.names for word in name.split()}
    # Of `bad`, `very bad`, `good`, `very good` the words are no labels; of labels there are as many names as mixtures.
    if len(targets.names) > 2 * len(words) and (cell := parted_by(targets.names, " ")):
        yield (
            f"`{cell}` is taken as the name of one class, but its words are found in other names, too; if each word is "
            'a label, write task: {kind: multilabel, separator: " "}'
        )
