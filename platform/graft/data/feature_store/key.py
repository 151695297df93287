"""What features are a function of: equal keys mean equal features, and any difference means another directory.

With what identifies the rows (`data_fingerprint`) and the weights (`weights_digest`) that they were computed from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from graft.core.storage import canonical_json, text_digest

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from graft.data.dataset import Dataset

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
        data_fingerprint: identifies the rows *and their order* (`data_fingerprint`).
        split: which rows, such as ``train``.
        preprocessing: canonical text of what is done to the stored samples.
        view: which random augmentation; None for the plain samples.
        weights_digest: identifies the values of the frozen part (`weights_digest`).
        backbone: name of the network.
        cut: number of blocks that are computed, counted from the input; with all of them, the pooled features.
        dtype: how a number is stored.
        pool: how they are pooled where that is not how the whole network does it, or where it ends with another block;
            empty otherwise.
    """

    data_fingerprint: str
    split: str
    preprocessing: str
    view: View | None
    weights_digest: str
    backbone: str
    cut: int
    dtype: StorageType = "float32"
    pool: str = ""

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
        """Plain values, for the manifest; as they were before networks could be edited, where this one is not."""
        return {name: value for name, value in asdict(self).items() if name != "pool" or value}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FeatureKey:
        """The key that `to_json` wrote.

        Raises:
            TypeError: a field is missing or unknown.
            ValueError: a value is out of range.
        """
        view = value.get("view")
        return cls(**{**value, "view": None if view is None else View(**view)})


def data_fingerprint(dataset: Dataset) -> str:
    """sha256 of a dataset's content in the order of its rows, in hex.

    `Dataset.fingerprint` is the same for another order of the rows (after files were renamed, say). Features are found
    by the number of their row, so with it alone they would be joined to the targets of other samples.
    """
    from graft.data.dataset import row_columns  # numpy, which `graft cache` does without

    rows = row_columns(dataset.directory, "sha256", "split")
    digest = hashlib.sha256(dataset.fingerprint.encode())
    for content, split in zip(rows["sha256"], rows["split"], strict=True):
        digest.update(f"{content} {split}\n".encode())
    return digest.hexdigest()


def weights_digest(parts: Iterable[nn.Module] | Mapping[str, Tensor]) -> str:
    """sha256 of names, shapes, types and values, in hex; other weights under the same name have another one.

    Args:
        parts: what the features are computed with: the stem and the blocks below the cut, or one state dict. Without
            the blocks above it, networks that differ only there share their features.
    """
    states = [parts] if isinstance(parts, Mapping) else [part.state_dict() for part in parts]
    digest = hashlib.sha256()
    for index, state in enumerate(states):
        for name, tensor in sorted(state.items()):
            digest.update(f"{index} {name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            digest.update(_bytes(tensor).data)
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> np.ndarray:
    import torch  # here, because a key itself needs none

    # Through uint8, because numpy does not know all of torch's types.
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
