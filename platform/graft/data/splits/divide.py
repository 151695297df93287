"""Which rule divides a listing, and what came of it: for the ingest, a look at the data, and an evaluation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from graft.core.errors import DataError
from graft.core.seeds import derive_seed
from graft.data.listing import Listing
from graft.data.split import LEFT_OUT, UNASSIGNED, Split, SplitSettings, check_shares, shares_to_draw
from graft.data.splits.facts import BY_LABEL, SplitFacts
from graft.data.splits.groups import Groups, deal_groups
from graft.data.splits.hashed import parts_by_place, places_of
from graft.data.splits.names import SplitName
from graft.data.splits.sizes import proportional
from graft.data.splits.times import parts_by_time, told_time
from graft.data.targets import Targets
from graft.spec.modalities.base import DataSpec, SplitRule

_NAMES: Mapping[Split, SplitName] = {Split.TRAIN: "train", Split.VALIDATION: "validation", Split.TEST: "test"}
_FAR_OFF = 0.2
"""Of the rows that were asked for."""
_NAMED = 3


class Divider(Protocol):
    """What this needs of a task."""

    def split(self, given: np.ndarray, targets: Targets, settings: SplitSettings) -> np.ndarray: ...
    def strata(self, targets: Targets) -> np.ndarray: ...
    def counts(self, targets: np.ndarray, names: Any) -> dict[str, Any]: ...


def divide(listing: Listing, targets: Targets, task: Divider, spec: DataSpec) -> tuple[np.ndarray, SplitFacts]:
    """The split of every listed row, or `LEFT_OUT` for those beyond `data.limit`, and how it was drawn.

    Splits that the source brings stay as they are.

    Args:
        listing: all rows.
        targets: of all rows, as the task has read them.
        task: decides what is kept in proportion.
        spec: the rule (`data.split_by`), shares, limit and seed.

    Raises:
        DataError: there are too few rows, groups or times, there is no test set, or the source has not what the rule
            looks at.
    """
    by = rule_of(listing, spec)
    if by == "label":
        return task.split(listing.given, targets, spec), BY_LABEL
    drawing = _Drawing.of(listing.given, spec)
    if by == "group":
        parts = _by_group(listing, targets, task, drawing, spec.seed)
    elif by == "time":
        parts = _by_time(listing, drawing)
    else:
        parts = _by_hash(listing, drawing, spec.seed)
    codes = listing.given.copy()
    codes[drawing.rows] = np.array(drawing.splits, dtype=np.uint8)[parts]
    drawn = codes.copy()
    if spec.limit is not None:
        _leave_out(codes, spec.limit, _priority(listing, by, spec.seed))
    return codes, _facts(by, listing, drawn, codes, drawing, targets, task)


def rule_of(listing: Listing, spec: DataSpec) -> SplitRule:
    """The rule that divides a listing.

    Raises:
        DataError: the job asks for one that looks at what the source has not.
    """
    inferred: SplitRule = "group" if listing.groups is not None else "time" if listing.times is not None else "label"
    by = spec.split_by or inferred
    lacking = {"group": listing.groups is None, "time": listing.times is None}
    if lacking.get(by):
        raise DataError(f"data.split_by is {by}, but {listing.source} says no {by} of its samples; take another rule")
    return by


@dataclass(frozen=True)
class _Drawing:
    """What is to be drawn: from which rows, for which splits, and which share of the rows each gets."""

    rows: np.ndarray
    splits: tuple[Split, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, given: np.ndarray, settings: SplitSettings) -> "_Drawing":
        test, validation = shares_to_draw(given, settings)
        check_shares(validation, test)
        wanted = {Split.TRAIN: 1 - validation - test, Split.VALIDATION: validation, Split.TEST: test}
        drawn = {split: share for split, share in wanted.items() if share > 0}
        return cls(np.flatnonzero(given == UNASSIGNED), tuple(drawn), tuple(drawn.values()))


def _by_group(listing: Listing, targets: Targets, task: Divider, drawing: _Drawing, seed: int) -> np.ndarray:
    assert listing.groups is not None
    groups = Groups.of(listing.groups[drawing.rows].tolist())
    # What is counted is a class or a label, which one group may hold alone; of numbers there is a range.
    counted = all(isinstance(count, int) for count in task.counts(targets.values, targets.names).values())
    return deal_groups(task.strata(targets)[drawing.rows], groups, drawing.shares, seed, counted)


def _by_time(listing: Listing, drawing: _Drawing) -> np.ndarray:
    assert listing.times is not None
    return parts_by_time(listing.times[drawing.rows], drawing.shares)


def _by_hash(listing: Listing, drawing: _Drawing, seed: int) -> np.ndarray:
    keys = _keys(listing)
    parts = parts_by_place(places_of((keys(int(row)) for row in drawing.rows), seed, "split"), drawing.shares)
    for part, split in enumerate(drawing.splits):
        if not np.any(parts == part):
            raise DataError(
                f"data.split_by is hash, which has drawn none of {len(parts)} samples for {_NAMES[split]}; take "
                "split_by: label for so few, a larger share, or another data.seed"
            )
    return parts


def _keys(listing: Listing) -> Callable[[int], bytes]:
    """What decides about a row: its group where there are groups, else what it is known by."""
    ids, keys, groups = listing.ids, listing.keys, listing.groups

    def key(row: int) -> bytes:
        if groups is not None and groups[row] is not None:
            return b"group\x1f" + str(groups[row]).encode()
        return ids[row].encode() if keys is None else keys[row]

    return key


def _priority(listing: Listing, by: SplitRule, seed: int) -> np.ndarray:
    """Which rows `data.limit` keeps first: random, or by hash, where appended rows must not change much."""
    if by == "hash":
        keys = _keys(listing)
        own = (keys(row) + listing.ids[row].encode() for row in range(len(listing)))
        return places_of(own, seed, "limit")
    return np.random.default_rng(derive_seed(seed, "limit")).random(len(listing))


def _leave_out(codes: np.ndarray, limit: int, priority: np.ndarray) -> None:
    """Bound training and validation together, both in proportion; the test set stays as it is."""
    pools = [rows for split in (Split.TRAIN, Split.VALIDATION) if len(rows := np.flatnonzero(codes == split))]
    if limit >= sum(map(len, pools)):
        return
    for pool, kept in zip(pools, proportional([len(pool) for pool in pools], limit, 1), strict=True):
        codes[pool[np.argsort(priority[pool], kind="stable")[kept:]]] = LEFT_OUT


def _facts(
    by: SplitRule,
    listing: Listing,
    drawn: np.ndarray,
    codes: np.ndarray,
    drawing: _Drawing,
    targets: Targets,
    task: Divider,
) -> SplitFacts:
    notes = [*_sizes_off(drawn, drawing), *_not_in(codes, targets, task)]
    groups, borders = {}, {}
    if listing.groups is not None:
        found = Groups.of(listing.groups.tolist())
        groups = {name: len(np.unique(found.codes[codes == split])) for split, name in _NAMES.items()}
        notes += _group_notes(found, codes)
    if by == "time" and listing.times is not None:
        later = [split for split in drawing.splits if split != Split.TRAIN]
        borders = {_NAMES[split]: told_time(listing.times[drawn == split].min()) for split in later}
    return SplitFacts(by, groups, borders, tuple(notes))


def _sizes_off(drawn: np.ndarray, drawing: _Drawing) -> list[str]:
    """Splits that are far from what was asked for."""
    total = len(drawing.rows)
    notes = []
    for split, share in zip(drawing.splits, drawing.shares, strict=True):
        count = int(np.sum(drawn[drawing.rows] == split))
        if split != Split.TRAIN and abs(count - share * total) > max(1, _FAR_OFF * share * total):
            notes.append(f"{_NAMES[split]} has {count / total:.1%} of the samples, where {share:.1%} was asked for")
    return notes


def _not_in(codes: np.ndarray, targets: Targets, task: Divider) -> list[str]:
    """Classes and labels that a split has no sample of."""
    notes = []
    for split, name in _NAMES.items():
        values = targets.values[codes == split]
        counts = task.counts(values, targets.names) if len(values) else {}
        missing = [f"`{label}`" for label, count in counts.items() if count == 0]
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            notes.append(f"{name} has no sample of {', '.join(missing[:_NAMED])}{more}")
    return notes


def _group_notes(groups: Groups, codes: np.ndarray) -> list[str]:
    """Groups that say nothing, and those that the source itself has put on both sides."""
    notes = []
    lonely, total = sum(name is None for name in groups.names), len(groups.codes)
    if lonely:
        notes.append(f"{lonely} of {total} samples have no group; each is one of its own")
    elif len(groups) == total:
        notes.append(f"each of {total} samples is a group of its own, which says nothing; is it the right column?")
    kept = codes != LEFT_OUT
    pairs = np.unique(np.column_stack([groups.codes[kept], codes[kept].astype(np.int64)]), axis=0)
    across = int(np.sum(np.unique(pairs[:, 0], return_counts=True)[1] > 1))
    if across:
        notes.append(f"{across} of {len(groups)} groups lie in several splits, because the source says so")
    return notes
