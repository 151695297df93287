"""What an examination says of decoded rows is done to them: some are left out, some change sides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.data.contents.made import Picked
from graft.data.dataset import Quarantined
from graft.data.decoding.collect import Decoded, examined
from graft.data.examination.finding import Finding
from graft.data.examination.found import Dropped
from graft.data.plan import Ingestion
from graft.data.store import Rows, keep_rows


@dataclass(frozen=True)
class Cleaned:
    """The rows of a dataset.

    Attributes:
        rows: that are kept; their columns lie in the directory.
        dropped: what was left out though it could be read.
        findings: of the examination; None if there was none.
    """

    rows: Rows
    dropped: tuple[Quarantined, ...] = ()
    findings: tuple[Finding, ...] | None = None


def clean(work: Ingestion, decoded: Decoded, directory: Path) -> Cleaned:
    """Examine what was decoded, and keep what is to be kept.

    Args:
        work: what was to be decoded.
        decoded: what became of it.
        directory: holds the columns of all rows that could be read; afterwards those that are kept.

    Raises:
        DataError: a split has lost what the task needs.
    """
    plan = work.plan
    seen = examined(work, decoded, directory)
    found = work.examiner.examine(seen) if work.examiner is not None else None
    splits, dropped = (seen.splits, {}) if found is None else (found.splits, dict(found.dropped))
    kept = np.ones(len(seen), dtype=bool)
    kept[[*dropped]] = False
    readable, all_splits = decoded.readable.copy(), plan.splits.copy()
    all_splits[decoded.readable], readable[decoded.readable] = splits, kept
    work.task.check_left(plan.targets, all_splits, readable, plan.ids)
    if dropped:
        keep_rows(directory, plan.kept, kept)
    some = kept if dropped else slice(None)  # a slice copies nothing
    rows = Rows(
        Picked(seen.ids, np.flatnonzero(kept)),
        seen.targets[some],
        splits[some],
        seen.digests[some],
        {name: values[some] for name, values in decoded.signs.items()},
        None if plan.weights is None else plan.weights[decoded.readable][kept],
        None if plan.groups is None else plan.groups[decoded.readable][kept],
        None if plan.versions is None else Picked(plan.versions, np.flatnonzero(decoded.readable)[kept]),
        Picked(decoded.told, np.flatnonzero(kept)),
        None if found is None or found.copies is None else _divided(found.copies[kept]),
    )
    return Cleaned(rows, _entries(seen.ids, dropped), None if found is None else found.findings)


def _divided(copies: np.ndarray) -> np.ndarray | None:
    """Groups of copies that are left; None where no sample has one."""
    _, groups, counts = np.unique(copies, return_inverse=True, return_counts=True)
    alone = (copies < 0) | (counts[groups] < 2)
    return None if alone.all() else np.where(alone, -1, copies)


def _entries(ids: Sequence[str], dropped: Mapping[int, Dropped]) -> tuple[Quarantined, ...]:
    return tuple(Quarantined(ids[row], one.reason, kind=one.kind) for row, one in sorted(dropped.items()))
