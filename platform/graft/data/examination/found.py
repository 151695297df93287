"""What checks find, and what an examination makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from graft.data.examination.examined import Examined
from graft.data.examination.finding import Finding

NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Found:
    """What a check has found of one kind.

    Attributes:
        kind: of `CheckSpec.finds`.
        rows: int64 [m], ascending: the samples concerned, which are those that ``drop`` drops.
        subjects: what it is about if not samples that could be read: files, classes, columns.
        detail: what else there is to say, in a sentence; empty if nothing.
        twins: the row that some of the rows are like.
        reasons: what is wrong with some of the rows, to fit behind their names ("is a copy of a.png").
        splits: uint8 [N], codes of `Split` in which nothing is left to find; what ``fix`` gives. None elsewhere.
    """

    kind: str
    rows: np.ndarray = field(default_factory=lambda: NO_ROWS)
    subjects: tuple[str, ...] = ()
    detail: str = ""
    reasons: Mapping[int, str] = field(default_factory=dict)
    twins: Mapping[int, int] = field(default_factory=dict)
    splits: np.ndarray | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.rows) + len(self.subjects)


@dataclass(frozen=True)
class Dropped:
    """Why a sample that could be read is left out.

    Attributes:
        kind: of the finding.
        reason: fits behind its name ("is a copy of a.png").
    """

    kind: str
    reason: str


@dataclass(frozen=True)
class Examination:
    """What came of an examination.

    Attributes:
        findings: the worst first.
        dropped: rows that are to be left out, and why.
        splits: uint8 [N], codes of `Split`, as they are to be.
        copies: int64 [N], samples with the same number are copies or near copies, which nobody may divide; -1 for one
            without any. None if copies may lie anywhere.
    """

    findings: tuple[Finding, ...]
    dropped: Mapping[int, Dropped]
    splits: np.ndarray
    copies: np.ndarray | None = None


class Examiner(Protocol):
    """Looks at decoded data before anybody learns from it."""

    def examine(self, examined: Examined) -> Examination:
        """Look at all samples together."""

    def decided(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """Findings of an earlier examination, with what this job wants done about them."""
