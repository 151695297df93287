"""What the samples are to be told apart by, or measured in: as a source says it, and as a task has read it."""

from dataclasses import dataclass, field

import numpy as np

from graft.data.contents.coded import Coded


@dataclass(frozen=True)
class RawTargets:
    """What a source says of its samples, before a task has read it.

    Attributes:
        values: [N], or [N, T] with T label columns: int64 codes if there are `categories`, else numbers (float64, NaN
            where missing), texts, or lists (object, or coded where there is one column).
        categories: the source's own names of the codes, in their order, where it has any: folders, label files.
        columns: names of the label columns, where the source has any.
        alone: what to do where there is one category only, and that is too few; empty for nothing but the usual.
        missing: int64 [m], rows of the source that have no label; `values` are those of the N others.
    """

    values: np.ndarray | Coded
    categories: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    alone: str = field(default="", compare=False, kw_only=True)
    missing: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64), compare=False)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Targets:
    """What a task has read.

    Attributes:
        values: int64 [N] (one of `names` each), float64 [N, T] (a number for each of `names`), or uint8 [N, L] (1 for
            each of `names` that applies).
        names: of what is predicted: classes, target columns, or labels.
    """

    values: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)
