"""Appended samples are decoded, the others are taken from the newest dataset that has them.

A row is taken if its sample has the same version (`graft.data.listing.Listing.versions`) and is decoded and kept in the
same way (`IngestPlan.decoding`). What could not be read before is read again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import ArtifactError
from graft.core.storage import read_json
from graft.data.columns import Column, Ragged
from graft.data.dataset import MANIFEST, Dataset, open_dataset, row_columns
from graft.data.decoding.blocks import MAX_BLOCK_ROWS, SIGN, shipped
from graft.data.plan import IngestPlan

Block = Mapping[str, Any]
_MOST_LOOKED_AT = 8
"""Newest datasets that are looked at for rows."""


class NotAlike(Exception):  # noqa: N818 - it says what was found
    """Decoding sees something in samples that it did not see when the older dataset was made."""


@dataclass(frozen=True)
class Known:
    """Rows of an older dataset that need not be decoded.

    Attributes:
        dataset: the older one.
        rows: int64 [n], for each row of the plan where it stands there; -1 for one that must be decoded.
    """

    dataset: Dataset
    rows: np.ndarray

    @property
    def count(self) -> int:
        """How many rows are known."""
        return int(np.sum(self.rows >= 0))


def known_rows(plan: IngestPlan, cache: Path) -> Known | None:
    """The dataset in the cache that has most rows of a plan; None if none has any.

    Args:
        plan: what is to be decoded.
        cache: directory of all datasets.
    """
    versions = plan.versions
    if versions is None or plan.is_streamed:
        return None
    alike = _alike(plan, cache)
    if not alike:
        return None
    best, wanted = None, _packed(versions)
    for directory in alike:
        try:
            dataset, found = open_dataset(directory), _packed(row_columns(directory, "version")["version"])
        except ArtifactError:
            continue  # whoever needs it will make it anew
        known = Known(dataset, _places(wanted, found))
        if known.count and (best is None or known.count > best.count):
            best = known
        if best is not None and best.count == len(versions):
            break
    return best


def with_known(plan: IngestPlan, known: Known, decode: Callable[[IngestPlan], Iterable[Block]]) -> Iterator[Block]:
    """Blocks of all rows of a plan in their order, of which only those that are not known are decoded.

    Args:
        plan: all rows.
        known: rows of an older dataset.
        decode: decodes a part of the plan: blocks in the order of its rows.

    Raises:
        NotAlike: the older dataset lacks what decoding sees, or has what it does not see.
    """
    new = np.flatnonzero(known.rows < 0)
    stored = _Stored(known.dataset)
    fresh = _Fresh(decode(replace(plan, rows=plan.rows[new])) if len(new) else (), new, stored.signs)
    edges = np.flatnonzero(np.diff(known.rows < 0)) + 1
    for start, stop in zip([0, *edges], [*edges, len(known.rows)], strict=True):
        if known.rows[start] < 0:
            yield from fresh.take(stop - start)
        else:
            for first in range(start, stop, MAX_BLOCK_ROWS):
                last = min(first + MAX_BLOCK_ROWS, stop)
                yield stored.block(known.rows[first:last], np.arange(first, last))


class _Stored:
    """Rows of a dataset as decoding would give them."""

    def __init__(self, dataset: Dataset) -> None:
        self._specs, self._columns = dataset.storage.columns, dataset.columns
        self._known = {name: np.array(values, dtype=object) for name, values in _told(dataset).items()}
        self._signs = dataset.signs

    @property
    def signs(self) -> frozenset[str]:
        """Names of what was seen."""
        return frozenset(self._signs)

    def block(self, rows: np.ndarray, positions: np.ndarray) -> Block:
        nothing = np.full(len(rows), "", dtype=object)
        return {
            "position": positions,
            "sha256": self._known["sha256"][rows],
            "reason": nothing,
            "kind": nothing,
            "passing": np.zeros(len(rows), dtype=bool),
            "remark": self._known["remark"][rows],
            **{f"column_{spec.name}": shipped(spec, _taken(self._columns[spec.name], rows)) for spec in self._specs},
            **{f"{SIGN}{name}": values[rows] for name, values in self._signs.items()},
        }


class _Fresh:
    """Decoded blocks, handed out in runs of any length."""

    def __init__(self, blocks: Iterable[Block], positions: np.ndarray, signs: frozenset[str]) -> None:
        self._blocks, self._positions, self._signs = iter(blocks), positions, signs
        self._current: Block = {}
        self._used = self._size = 0

    def take(self, count: int) -> Iterator[Block]:
        while count:
            if self._used == self._size:
                self._next()
            part = slice(self._used, min(self._used + count, self._size))
            block = {name: values[part] for name, values in self._current.items()}
            yield {**block, "position": self._positions[block["position"]]}
            count -= part.stop - part.start
            self._used = part.stop

    def _next(self) -> None:
        self._current = next(self._blocks)
        self._used, self._size = 0, len(self._current["position"])
        seen = {name.removeprefix(SIGN) for name in self._current if name.startswith(SIGN)}
        if seen != self._signs:
            raise NotAlike(f"decoding sees {sorted(seen)}, but the older dataset has {sorted(self._signs)}")


def _alike(plan: IngestPlan, cache: Path) -> Sequence[Path]:
    """Directories of datasets whose rows were decoded and are kept in the same way, the newest first."""
    found = []
    for manifest in cache.glob(f"[!.]*/{MANIFEST}"):
        try:
            told, changed = read_json(manifest), manifest.stat().st_mtime_ns
        except (ArtifactError, OSError, ValueError):
            continue
        if isinstance(told, dict) and told.get("decoding") == plan.decoding:
            found.append((changed, manifest.parent))
    return [directory for _, directory in sorted(found, reverse=True)[:_MOST_LOOKED_AT]]


def _packed(versions: Sequence[str]) -> np.ndarray:
    """Bytes [N]."""
    return np.fromiter((version.encode() for version in versions), dtype="S24", count=len(versions))


def _places(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    """int64 [N], the last place of each among those that were found; -1 where it is not there."""
    if not len(found):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(found, kind="stable")
    last = np.searchsorted(found, wanted, side="right", sorter=order) - 1
    places = order[last]
    return np.where((last >= 0) & (found[places] == wanted), places, -1).astype(np.int64)


def _told(dataset: Dataset) -> dict[str, list[Any]]:
    return row_columns(dataset.directory, "sha256", "remark")


def _taken(column: Column, rows: np.ndarray) -> np.ndarray | list[np.ndarray]:
    return column.take(rows) if isinstance(column, Ragged) else column[rows]
