"""What checks look at: everything known of the samples that could be read, and of those that could not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from graft.data.columns import Column
from graft.data.dataset import Quarantined
from graft.data.split import Split
from graft.spec.checks.parameters import Parameters

Derived = TypeVar("Derived")


@dataclass(frozen=True)
class Examined:
    """N samples that could be read, in the order of the source; all that follows is in their order.

    Attributes:
        ids: what each is called in the source.
        digests: bytes [N], sha256 of each one's content, in hex.
        targets: [N, …], as the task has read them (`graft.data.targets.Targets`).
        names: of what is predicted: classes, target columns, labels.
        splits: uint8 [N], codes of `Split`.
        movable: bool [N], whether graft has drawn the split of a sample, so that it may draw another.
        split_rule: by which graft has drawn the others (`data.split_by`).
        signs: what the modality saw in each while it decoded it, by name: [N] or [N, k].
        columns: as they are stored, by name; memory maps, so ask for a few rows at a time.
        left_out: samples that could not be read.
        task: kind of the task.
        modality: kind of the samples.
        facts: what the source knows of all samples together.
        table: the user's table that the samples are rows of, if they are.
        checks: parameters of checks (`data.checks`).
    """

    ids: Sequence[str]
    digests: np.ndarray
    targets: np.ndarray
    names: tuple[str, ...]
    splits: np.ndarray
    movable: np.ndarray
    split_rule: str = "label"
    signs: Mapping[str, np.ndarray] = field(default_factory=dict)
    columns: Mapping[str, Column] = field(default_factory=dict)
    left_out: tuple[Quarantined, ...] = ()
    task: str = ""
    modality: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    table: Any = None
    checks: Parameters = field(default_factory=dict)
    _derived: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.splits)

    def rows(self, *splits: Split) -> np.ndarray:
        """Indices of the rows of these splits, ascending, int64."""
        return np.flatnonzero(np.isin(self.splits, [int(split) for split in splits])).astype(np.int64)

    def derived(self, name: str, make: "Callable[[Examined], Derived]") -> Derived:
        """What several checks need, made once: groups of near copies, frozen features.

        Args:
            name: of what it is.
            make: a pure function of what is examined.
        """
        if name not in self._derived:
            self._derived[name] = make(self)
        found: Derived = self._derived[name]
        return found
