"""What features are a function of: equal keys mean equal features, and any difference means another directory."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from graft.core.storage import canonical_json, text_digest

FORMAT = 1
"""Of the files on the disk; it enters every key, so a newer format never reads an older one by mistake."""

StorageType = Literal["float32", "float16", "bfloat16"]


@dataclass(frozen=True)
class View:
    """One stored random augmentation of every image.

    Attributes:
        index: which of the K stored views, from 0.
        policy: canonical text of the augmentation.
        seed: root of its randomness.
    """

    index: int
    policy: str
    seed: int

    def __post_init__(self) -> None:
        if self.index < 0:
            raise ValueError(f"view is {self.index}, but must be >= 0; views are counted from 0")


@dataclass(frozen=True)
class FeatureKey:
    """Everything that the features of some rows depend on.

    Attributes:
        data_fingerprint: identifies the rows *and their order* (`data_fingerprint` of this package).
        split: which rows, such as ``train``.
        preprocessing: canonical text of what is done to the stored images.
        view: which random augmentation; None for the plain images.
        weights_digest: identifies the values of the frozen part (`weights_digest` of this package).
        backbone: name of the network.
        cut: number of blocks that are computed, counted from the input; with all of them, the pooled features.
        dtype: how a number is stored.
    """

    data_fingerprint: str
    split: str
    preprocessing: str
    view: View | None
    weights_digest: str
    backbone: str
    cut: int
    dtype: StorageType = "float32"

    def __post_init__(self) -> None:
        if self.cut < 0:
            raise ValueError(f"cut is {self.cut}, but must be >= 0; it counts blocks from the input")
        if self.dtype not in get_args(StorageType):
            raise ValueError(f"dtype is {self.dtype}, but must be one of {', '.join(get_args(StorageType))}")

    def canonical(self) -> str:
        """The one JSON text of this key."""
        return canonical_json({"format": FORMAT, **self.to_json()})

    def digest(self) -> str:
        """sha256 of `canonical`, in hex: the name of the directory."""
        return text_digest(self.canonical())

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "FeatureKey":
        """The key that `to_json` wrote.

        Raises:
            TypeError: a field is missing or unknown.
            ValueError: a value is out of range.
        """
        view = value.get("view")
        return cls(**{**value, "view": None if view is None else View(**view)})
