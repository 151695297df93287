"""What identifies the rows, and the weights, that features were computed from."""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from graft.data.dataset import ROWS, Dataset


def data_fingerprint(dataset: Dataset) -> str:
    """sha256 of a dataset's content in the order of its rows, in hex.

    `Dataset.fingerprint` is the same for another order of the rows (after files were renamed, say). Features are found
    by the number of their row, so with it alone they would be joined to the labels of other images.
    """
    import pyarrow.parquet as pq  # only this asks for it, and it takes longer to import than all else here

    rows = pq.read_table(dataset.directory / ROWS, columns=["sha256", "split"])
    digest = hashlib.sha256(dataset.fingerprint.encode())
    for content, split in zip(rows["sha256"].to_pylist(), rows["split"].to_pylist(), strict=True):
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
    # Through uint8, because numpy does not know all of torch's types.
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
