"""What the user's data holds, found by cheap checks before anything is decoded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from graft.data.contents.made import Picked
from graft.data.overview import MOST_EXAMPLES, Ignored, Progress
from graft.data.read import Unreachable, Unreadable
from graft.data.targets import RawTargets
from graft.spec.modalities.base import DataSpec
from graft.spec.registry import build

__all__ = ["DecodedBlock", "Decoder", "Listing", "Progress", "list_samples"]

UNLABELLED = "row without a label"


@dataclass(frozen=True)
class SourceTable:
    """A table of the user, for checks of its other columns.

    Attributes:
        path: of the file, as it can be read here.
        encoding: of it, where it is one of text.
        label: column of the (first) label.
        used: columns that the job names, that of the samples first.
    """

    path: str
    encoding: str
    label: str
    used: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """Every sample of a source, in a fixed order, not yet decoded.

    Attributes:
        source: where the samples come from, for people.
        ids: one per sample: its path relative to the source, or ``train/12``.
        targets: what the source says of each.
        given: uint8 [N], the split that the source itself says, or `UNASSIGNED`.
        identity: digest of what can be known without reading everything (paths, sizes, times of change): as long as it
            stays, the samples have not changed.
        sources: for each sample what the modality's decoder needs to get its content.
        reader: how the decoder reads a source; picklable, None where the modality needs no choice.
        facts: what the modality wants to know of all samples together.
        ignored: what is no sample by its name or kind, and not among them.
        unreadable: samples that are known to be unreadable before they are read.
        groups: object [N], what samples have in common that must not lie on both sides of a split; None for a sample
            that has nothing in common with others.
        times: [N], when each was made: numbers (float64), or microseconds since 1970-01-01 UTC (int64).
        weights: float64 [N], how much each counts in the training loss: finite, from 0, not all 0.
        versions: of each sample, another as soon as it may have changed (`graft.data.decoding.versions`), so that it
            need not be decoded again for others that were appended; None where that cannot be told without reading it.
        table: the table that the samples are rows of, if they are.
        keys: what each sample is known by wherever the source lies: its text, or the path in a table's cell; the ids
            where None.
    """

    source: str
    ids: Sequence[str]
    targets: RawTargets
    given: np.ndarray
    identity: str
    sources: Sequence[bytes]
    reader: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[Ignored, ...] = ()
    unreadable: tuple[Ignored, ...] = ()
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    weights: np.ndarray | None = None
    keys: Sequence[bytes] | None = None
    table: SourceTable | None = None
    versions: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class DecodedBlock:
    """Some decoded samples.

    Attributes:
        columns: by name: [n, *shape], or a list of n one-dimensional arrays; zeros, or empty, where unreadable.
        digests: sha256 of each one's content, in hex; empty where unreadable.
        reasons: why a sample cannot be used, to fit behind its name ("is empty"); empty where it can.
        remarks: what was assumed to read a sample, by its place; to fit behind "3 images".
        passing: places of the samples that cannot be had at the moment, which says nothing of their bytes.
        kinds: what kind of finding it is that a sample cannot be used, by its place.
        signs: what was seen in each sample, by name: [n] or [n, k] of numbers or texts; kept beside the dataset, and
            what checks go by (`graft.data.examination`). Anything where unreadable.
    """

    columns: Mapping[str, np.ndarray | list[np.ndarray]]
    digests: list[str]
    reasons: list[str]
    remarks: dict[int, str] = field(default_factory=dict)
    passing: set[int] = field(default_factory=set)
    kinds: dict[int, str] = field(default_factory=dict)
    signs: Mapping[str, np.ndarray] = field(default_factory=dict)

    def leave_out(self, place: int, error: Unreadable) -> None:
        """Note why a sample cannot be used."""
        self.reasons[place] = str(error)
        self.kinds[place] = error.kind
        if isinstance(error, Unreachable):
            self.passing.add(place)


Decoder = Callable[[Sequence[bytes]], DecodedBlock]
"""Turns sources into columns; picklable, because it runs on any machine of the cluster."""


def without_signs(decoder: Decoder) -> Decoder:
    """A decoder that makes the same columns, but does not look at the samples, where it can do without."""
    if is_dataclass(decoder) and "looks" in {one.name for one in fields(decoder)}:
        seeing: Any = decoder
        blind: Decoder = replace(seeing, looks=False)
        return blind
    return decoder


def list_samples(spec: DataSpec, progress: Progress | None = None) -> Listing:
    """List the samples of the user's data, as its kind does; those without a label are left out, and told of.

    Args:
        spec: the job's data section.
        progress: told now and then how many samples have been found.

    Raises:
        DataError: the data cannot be used: a missing directory, no samples, a damaged file.
        SpecError: the kind is another package's, and does not work.
    """
    listing: Listing = build(spec, progress)
    return _labelled(listing)


def _labelled(listing: Listing) -> Listing:
    """Without the samples that have no label, which are told of."""
    missing = listing.targets.missing
    if not len(missing):
        return listing
    rows = np.delete(np.arange(len(listing)), missing)
    few = tuple(str(listing.ids[int(row)]) for row in missing[:MOST_EXAMPLES])
    picked: dict[str, Any] = {}
    for name in ("ids", "sources", "keys", "versions"):
        values = getattr(listing, name)
        picked[name] = None if values is None else Picked(values, rows)
    for name in ("given", "groups", "times", "weights"):
        values = getattr(listing, name)
        picked[name] = None if values is None else values[rows]
    return replace(listing, **picked, ignored=(*listing.ignored, Ignored(UNLABELLED, len(missing), few)))
