"""Which arrays hold samples and which labels, by their names: ``x_train`` and ``y_train``, ``test_images``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graft.core.errors import DataError
from graft.data.arrays.npy_files import StoredArray
from graft.data.splits.names import SPLIT_NAMES, SplitName

_SAMPLES = frozenset(("x", "data", "images", "image", "imgs", "img", "samples", "inputs"))
_LABELS = frozenset(("y", "labels", "label", "targets", "target", "classes"))


@dataclass(frozen=True)
class ArrayPart:
    """Samples with their labels.

    Attributes:
        split: that the names say; None if they say none.
        samples: [N, …].
        labels: [N] or [N, K].
    """

    split: SplitName | None
    samples: StoredArray
    labels: StoredArray

    @property
    def name(self) -> str:
        """Of its samples, for ids."""
        return self.split or "row"


def parts_of(told: str, arrays: Mapping[str, StoredArray], samples: str | None, labels: str | None) -> list[ArrayPart]:
    """The arrays that belong together.

    Args:
        told: the source, for messages.
        arrays: by their names.
        samples: name of that of the samples, if the job says it.
        labels: of the labels.

    Raises:
        DataError: one is missing, or samples and labels differ in number.
    """
    shown = ", ".join(f"`{name[:60]}` {list(one.shape)}" for name, one in list(arrays.items())[:20])
    if samples is not None or labels is not None:
        for name in (samples, labels):
            if name not in arrays:
                raise DataError(f"{told} has no array `{name}`, but must have it; its arrays are {shown}")
        found = [ArrayPart(None, arrays[str(samples)], arrays[str(labels)])]
    else:
        found = _by_names(arrays) or _by_shapes(list(arrays.values()))
    if not found:
        raise DataError(
            f"{told} has the arrays {shown}, but must have one of samples and one of labels, such as `x` and `y` or "
            "`x_train` and `y_train`; name them in data.samples and data.labels"
        )
    for part in found:
        counts = [one.shape[0] if one.shape else 0 for one in (part.samples, part.labels)]
        if counts[0] != counts[1]:
            raise DataError(
                f"{part.samples.told} has {counts[0]} rows, but {part.labels.told} has {counts[1]}; both must have "
                "as many"
            )
    return found


def _by_names(arrays: Mapping[str, StoredArray]) -> list[ArrayPart]:
    roles: dict[SplitName | None, dict[str, StoredArray]] = {}
    for name, array in arrays.items():
        words = re.findall(r"[^\W\d_]+", name.lower())
        split = next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)
        role = "x" if _SAMPLES.intersection(words) else "y" if _LABELS.intersection(words) else ""
        if role:
            roles.setdefault(split, {}).setdefault(role, array)
    found = [ArrayPart(split, one["x"], one["y"]) for split, one in roles.items() if len(one) == 2]
    return found if any(part.split in (None, "train") for part in found) else []


def _by_shapes(arrays: Sequence[StoredArray]) -> list[ArrayPart]:
    """Two arrays, of which one is clearly that of the samples."""
    several = [one for one in arrays if len(one.shape) >= 3]
    others = [one for one in arrays if len(one.shape) < 3]
    return [ArrayPart(None, several[0], others[0])] if len(several) == len(others) == 1 else []
