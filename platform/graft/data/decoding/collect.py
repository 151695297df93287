"""Decoded blocks become the files of a dataset, and what is known of each row."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from graft.data.columns import stored_columns
from graft.data.contents.coded import Coded
from graft.data.contents.made import Picked
from graft.data.dataset import Quarantined
from graft.data.decoding.blocks import SIGN, received
from graft.data.examination.examined import Examined
from graft.data.plan import Ingestion, IngestPlan
from graft.data.store import ColumnWriter, column_writers
from graft.data.streaming.samples import DIGESTS, SOURCES, streamed_columns

OnProgress = Callable[[int, int], None]
"""Told how many samples of how many are done."""


@dataclass(frozen=True)
class Decoded:
    """What came back: rows that could be read, their digests and signs, why others could not, what was assumed.

    `told` is what was assumed to read each readable row, `remarks` how often; `digests` are bytes [n], hexadecimal.
    """

    readable: np.ndarray
    digests: np.ndarray
    quarantine: tuple[Quarantined, ...]
    remarks: Mapping[str, int]
    signs: Mapping[str, np.ndarray] = field(default_factory=dict)
    told: Sequence[str] = ()


def collect(plan: IngestPlan, blocks: Iterable[Mapping[str, Any]], directory: Path, on_progress: OnProgress) -> Decoded:
    """Write the columns of all blocks into a directory.

    Raises:
        RuntimeError: blocks are missing, or not in the order of the rows.
    """
    readable = np.zeros(len(plan.rows), dtype=bool)
    digests, kept = np.empty(len(plan.rows), dtype="S64"), 0
    quarantine: list[Quarantined] = []
    remarks: Counter[str] = Counter()
    told, signs = Coded(), _Signs()
    done = 0
    with column_writers(directory, plan.kept) as writers:
        for block in blocks:
            positions, good = block["position"], block["reason"] == ""
            if not np.array_equal(positions, np.arange(done, done + len(positions))):
                raise RuntimeError(f"Ray Data returned rows {positions[:3]} where row {done} was due")
            for spec in plan.wanted.columns:
                writers[spec.name].append(received(spec, block[f"column_{spec.name}"][good]))
            if plan.is_streamed:
                _write_sources(plan, writers, positions[good], block["sha256"][good])
            digests[kept : kept + good.sum()] = block["sha256"][good].astype("S64")
            kept += good.sum()
            quarantine += _refused(plan, block, ~good)
            remarks.update(str(remark) for remark in block["remark"] if remark)
            told.extend(block["remark"][good].tolist())
            signs.add(block, good)
            readable[positions] = good
            done += len(positions)
            on_progress(done, len(plan.rows))
    if done != len(plan.rows):
        raise RuntimeError(f"Ray Data returned {done} rows of {len(plan.rows)}")
    return Decoded(readable, digests[:kept], tuple(quarantine), dict(remarks), signs.joined(), told)


class _Signs:
    """What is seen in the samples; of equal texts one is kept."""

    def __init__(self) -> None:
        self._parts: defaultdict[str, list[np.ndarray]] = defaultdict(list)
        self._texts: dict[str, Coded] = {}

    def add(self, block: Mapping[str, Any], good: np.ndarray) -> None:
        for name in (name.removeprefix(SIGN) for name in block if name.startswith(SIGN)):
            values = block[f"{SIGN}{name}"][good]
            if values.dtype == object and values.ndim == 1:
                self._texts.setdefault(name, Coded()).extend(values)
            self._parts[name].append(values if name not in self._texts else values[:0])

    def joined(self) -> dict[str, np.ndarray]:
        """[N] or [N, k], by name; nothing is kept here."""
        found = {}
        for name in list(self._parts):
            parts, texts = self._parts.pop(name), self._texts.pop(name, None)
            found[name] = np.concatenate(parts) if texts is None else texts.array()
        return found


def examined(work: Ingestion, decoded: Decoded, directory: Path) -> Examined:
    """What checks look at.

    Args:
        work: what was to be decoded.
        decoded: what became of it.
        directory: that holds the columns of the rows that could be read.
    """
    plan, columns = work.plan, work.plan.storage.columns
    rows = plan.rows[decoded.readable]
    return Examined(
        ids=Picked(plan.listing.ids, rows),
        digests=decoded.digests,
        targets=plan.targets.values[decoded.readable],
        names=plan.targets.names,
        splits=plan.splits[decoded.readable],
        movable=plan.movable[decoded.readable],
        split_rule=plan.split.by,
        signs=decoded.signs,
        columns=streamed_columns(directory, columns, work.decoder)
        if plan.is_streamed
        else stored_columns(directory, columns),
        left_out=decoded.quarantine,
        task=work.task.spec.kind,
        modality=plan.storage.modality,
        facts=plan.listing.facts,
        table=plan.listing.table,
    )


def _write_sources(
    plan: IngestPlan, writers: Mapping[str, ColumnWriter], positions: np.ndarray, sha256: np.ndarray
) -> None:
    """Write what it takes to decode these samples again, and to notice that they have changed."""
    sources = plan.listing.sources
    found = [np.frombuffer(sources[int(plan.rows[position])], np.uint8) for position in positions]
    writers[SOURCES.name].append(found)
    digests = np.frombuffer(bytes.fromhex("".join(sha256)), np.uint8)
    writers[DIGESTS.name].append(digests.reshape(-1, 32))


def _refused(plan: IngestPlan, block: Mapping[str, Any], bad: np.ndarray) -> list[Quarantined]:
    parts = (block[name][bad] for name in ("position", "reason", "passing", "kind"))
    return [
        Quarantined(plan.listing.ids[int(plan.rows[position])], str(reason), bool(passing), str(kind))
        for position, reason, passing, kind in zip(*parts, strict=True)
    ]
