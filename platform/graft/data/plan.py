"""What an ingest is going to do, and the checks of what it did; plain Python, no Ray."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from graft.core.errors import DataError, ResourceError
from graft.core.storage import canonical_json, text_digest
from graft.data.columns import StorageSpec
from graft.data.contents.made import Picked
from graft.data.dataset import FORMAT, Quarantined, Split
from graft.data.examination.found import Examiner
from graft.data.listing import Decoder, Listing
from graft.data.split import LEFT_OUT, UNASSIGNED, SplitSettings
from graft.data.splits.divide import divide
from graft.data.splits.facts import BY_LABEL, SplitFacts
from graft.data.splits.trained import require_trained
from graft.data.streaming.samples import STREAMED
from graft.data.targets import RawTargets, Targets
from graft.spec.checks.clean import kept_otherwise
from graft.spec.modalities.base import DataSpec, SplitRule
from graft.spec.tasks.base import TaskSpec

_NAMED_FILES = 5


class TargetReader(Protocol):
    """What an ingest needs of a task."""

    @property
    def spec(self) -> TaskSpec: ...
    def read(self, raw: RawTargets, source: str, known: Sequence[str] = ()) -> Targets: ...
    def split(self, given: np.ndarray, targets: Targets, settings: SplitSettings) -> np.ndarray: ...
    def strata(self, targets: Targets) -> np.ndarray: ...
    def check_left(self, targets: Targets, splits: np.ndarray, readable: np.ndarray, ids: Sequence[str]) -> None: ...
    def facts(self, training: np.ndarray, names: Sequence[str]) -> dict[str, Any]: ...
    def counts(self, targets: np.ndarray, names: Sequence[str]) -> dict[str, Any]: ...


@dataclass(frozen=True)
class IngestPlan:
    """The rows of a listing that are kept, and what for.

    Attributes:
        listing: all samples of the source.
        targets: of the rows that are kept, as the task has read them.
        storage: how samples are to be kept.
        rows: int64 [n], the rows of the listing that are decoded; what follows is in their order.
        splits: uint8 [n], codes of `Split`.
        key: names the result; the same source, stored form and settings have the same key.
        split: how the splits were drawn.
        is_streamed: whether the samples are looked at, but left where they are.
        decoding: names how samples are decoded and kept; rows of datasets that have the same are alike.
    """

    listing: Listing
    targets: Targets
    storage: StorageSpec
    rows: np.ndarray
    splits: np.ndarray
    key: str
    split: SplitFacts = BY_LABEL
    is_streamed: bool = False
    decoding: str = ""

    @property
    def name(self) -> str:
        """Of the dataset's directory."""
        return f"{self.key}-streamed" if self.is_streamed else self.key

    @property
    def kept(self) -> StorageSpec:
        """What of the samples is written."""
        return replace(self.storage, columns=STREAMED) if self.is_streamed else self.storage

    @property
    def wanted(self) -> StorageSpec:
        """What of the decoded samples is needed."""
        return replace(self.storage, columns=()) if self.is_streamed else self.storage

    @property
    def versions(self) -> Sequence[str] | None:
        """Of each row's sample (`Listing.versions`)."""
        versions = self.listing.versions
        return None if versions is None else Picked(versions, self.rows)

    @property
    def movable(self) -> np.ndarray:
        """bool [n], rows whose split was drawn by a rule that lets it be changed for the sake of duplicates."""
        drawn: np.ndarray = self.listing.given[self.rows] == UNASSIGNED
        return drawn if self.split.by in ("label", "hash") else np.zeros_like(drawn)

    @property
    def weights(self) -> np.ndarray | None:
        """float64 [n], how much each row counts in the training loss."""
        return None if self.listing.weights is None else self.listing.weights[self.rows]

    @property
    def groups(self) -> np.ndarray | None:
        """object [n], what each row has in common with others."""
        return None if self.listing.groups is None else self.listing.groups[self.rows]

    @property
    def ids(self) -> Sequence[str]:
        """What each row is called in the source."""
        return Picked(self.listing.ids, self.rows)


@dataclass(frozen=True)
class Ingestion:
    """All that an ingest needs.

    Attributes:
        plan: what is decoded.
        decoder: decodes it.
        task: has read the targets.
        max_unreadable: share of the samples that may be left out.
        examiner: looks at what was decoded before anybody learns from it; None for no examination.
    """

    plan: IngestPlan
    decoder: Decoder
    task: TargetReader
    max_unreadable: float
    examiner: Examiner | None = None


def plan_ingest(listing: Listing, spec: DataSpec, task: TargetReader, storage: StorageSpec) -> IngestPlan:
    """Read the targets, choose rows and splits.

    Raises:
        DataError: the task cannot have these targets, a split has too few samples, or there is no test set.
    """
    targets = task.read(listing.targets, listing.source)
    splits, facts = divide(listing, targets, task, spec)
    require_trained(listing.source, splits)
    _check_weights(listing, splits)
    rows = np.flatnonzero(splits != LEFT_OUT)
    kept = targets if len(rows) == len(targets) else Targets(targets.values[rows], targets.names)
    key = _key(listing, targets.names, spec, task, storage, facts.by)
    return IngestPlan(
        listing, kept, storage, rows, splits[rows], key, facts, decoding=_decoding(listing, spec, storage)
    )


def _check_weights(listing: Listing, splits: np.ndarray) -> None:
    if listing.weights is not None and not listing.weights[splits == Split.TRAIN].any():
        raise DataError(
            f"the weights of all {int(np.sum(splits == Split.TRAIN))} training samples of {listing.source} are 0, but "
            "some must count; correct the column that data.weight names, or leave it out"
        )


def check_quarantine(quarantine: tuple[Quarantined, ...], num_readable: int, max_unreadable: float) -> None:
    """Check that the samples that were left out are within `data.max_unreadable`.

    Raises:
        DataError: they are more than this share of all; it names the first few.
        ResourceError: they would not be, if those could be read that cannot be had at the moment.
    """
    total = len(quarantine) + num_readable
    if len(quarantine) <= max_unreadable * total:
        return
    passing = [entry for entry in quarantine if entry.passing]
    told = passing if len(quarantine) - len(passing) <= max_unreadable * total else quarantine
    named = "; ".join(f"{entry.path} {entry.reason}" for entry in told[:_NAMED_FILES])
    more = f"; and {len(told) - _NAMED_FILES} more" if len(told) > _NAMED_FILES else ""
    if told is passing:
        raise ResourceError(
            f"{len(passing)} of {total} samples cannot be had at the moment, but data.max_unreadable allows "
            f"{max_unreadable:g} to be left out: {named}{more}; check permissions and disks, and run again"
        )
    raise DataError(
        f"{len(quarantine)} of {total} samples cannot be read, but data.max_unreadable allows {max_unreadable:g}: "
        f"{named}{more}; repair or remove them, or raise data.max_unreadable"
    )


def facts_of(task: TargetReader, targets: Targets, splits: np.ndarray) -> dict[str, Any]:
    """What the task knows of the training rows."""
    return task.facts(targets.values[splits == Split.TRAIN], targets.names)


def counts_of(task: TargetReader, targets: Targets, splits: np.ndarray) -> Mapping[str, Any]:
    """What the targets of each split hold, by its lower-case name."""
    return {split.name.lower(): task.counts(targets.values[splits == split], targets.names) for split in Split}


def _decoding(listing: Listing, spec: DataSpec, storage: StorageSpec) -> str:
    settings = {
        "format": FORMAT,
        "reader": type(listing.reader).__name__,
        "storage": asdict(storage),
        "decoding": spec.decoding(),
        "clean": kept_otherwise(spec.clean),
    }
    return text_digest(canonical_json(settings))[:32]


def _key(
    listing: Listing, names: Sequence[str], spec: DataSpec, task: TargetReader, storage: StorageSpec, by: SplitRule
) -> str:
    settings: dict[str, Any] = {
        "format": FORMAT,
        "kind": spec.kind,
        "identity": listing.identity,
        "names": list(names),
        "storage": asdict(storage),
        "split": [spec.validation, spec.test, spec.limit, spec.seed],
        "decoding": spec.decoding(),
        "task": task.spec.model_dump(mode="json"),
    }
    # Only where they say something: the keys of datasets without them stay as they are.
    if by != "label":
        settings["split_by"] = by
    for name, values in (("groups", listing.groups), ("times", listing.times), ("weights", listing.weights)):
        if values is not None:
            settings[name] = text_digest(canonical_json(values.tolist()))
    cleaned = kept_otherwise(spec.clean)
    if cleaned:
        settings["clean"] = cleaned
    if spec.checks:
        settings["checks"] = spec.checks
    return text_digest(canonical_json(settings))[:32]
