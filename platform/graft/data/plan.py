"""What an ingest is going to do, and the checks of what it did; plain Python, no Ray."""

from dataclasses import asdict, dataclass

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.data.dataset import FORMAT, Quarantined, Split
from graft.data.listing import DataSpec, Listing
from graft.data.split import LEFT_OUT, plan_splits
from graft.data.square import StoredForm

_NAMED_FILES = 5


@dataclass(frozen=True)
class IngestPlan:
    """The rows of a listing that are kept, and what for.

    Attributes:
        listing: all samples of the source.
        stored: how images are to be kept.
        rows: int64 [n], the rows of the listing that are decoded; what follows is in their order.
        splits: uint8 [n], codes of `Split`.
        key: names the result; the same source, stored form and settings have the same key.
    """

    listing: Listing
    stored: StoredForm
    rows: np.ndarray
    splits: np.ndarray
    key: str


def plan_ingest(listing: Listing, spec: DataSpec, stored: StoredForm) -> IngestPlan:
    """Choose rows and splits.

    Raises:
        DataError: a class has too few samples for its splits, or there is no test set.
    """
    splits = plan_splits(listing.given, listing.labels, spec, listing.classes)
    rows = np.flatnonzero(splits != LEFT_OUT)
    return IngestPlan(listing, stored, rows, splits[rows], _key(listing, spec, stored))


def check_quarantine(quarantine: tuple[Quarantined, ...], num_readable: int, max_unreadable: float) -> None:
    """Check that bearably few files were left out.

    Raises:
        DataError: more than `max_unreadable` (a share) of all; it names the first few.
    """
    total = len(quarantine) + num_readable
    if len(quarantine) <= max_unreadable * total:
        return
    named = "; ".join(f"{entry.path} {entry.reason}" for entry in quarantine[:_NAMED_FILES])
    more = f"; and {len(quarantine) - _NAMED_FILES} more" if len(quarantine) > _NAMED_FILES else ""
    raise DataError(
        f"{len(quarantine)} of {total} images cannot be read, but data.max_unreadable allows {max_unreadable:g}: "
        f"{named}{more}; repair or remove them, or raise data.max_unreadable"
    )


def check_classes_left(plan: IngestPlan, readable: np.ndarray) -> None:
    """Check that no class has lost all its samples of a split.

    Args:
        plan: what was to be decoded.
        readable: bool [n], which of the plan's rows could be.

    Raises:
        DataError: names the class, the split and one of the files.
    """
    labels = plan.listing.labels[plan.rows]
    for split in Split:
        inside = plan.splits == split
        for label in np.setdiff1d(labels[inside], labels[inside & readable]):
            lost = plan.rows[inside & (labels == label)]
            others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise DataError(
                f"class `{plan.listing.classes[label]}` has no readable sample left for {split.name.lower()} "
                f"({plan.listing.ids[lost[0]]}{others} cannot be read); repair or remove what is unreadable"
            )


def _key(listing: Listing, spec: DataSpec, stored: StoredForm) -> str:
    settings = {
        "format": FORMAT,
        "kind": spec.kind,
        "identity": listing.identity,
        "classes": list(listing.classes),
        "stored": asdict(stored),
        "split": [spec.validation, spec.test, spec.limit, spec.seed],
        "max_pixels": spec.max_pixels,
    }
    return text_digest(canonical_json(settings))[:32]
