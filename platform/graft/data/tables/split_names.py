"""What the splits of a source may be called."""

from collections.abc import Mapping

from graft.data.split import UNASSIGNED, Split

SPLIT_NAMES: Mapping[str, int] = {
    # Validation rows are drawn from the training rows where the source names none.
    "train": UNASSIGNED,
    "training": UNASSIGNED,
    "val": int(Split.VALIDATION),
    "valid": int(Split.VALIDATION),
    "validation": int(Split.VALIDATION),
    "test": int(Split.TEST),
}
"""The split that a name in lower case stands for."""
