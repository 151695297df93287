"""Numbers as they are stored. numpy has no bfloat16, so such a number lies on the disk as its 16 bits."""

import numpy as np

from graft.core.errors import SpecError
from graft.data.feature_store.key import StorageType

STORED: dict[StorageType, np.dtype] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(np.uint16),
}
"""What numpy sees in the file."""


def encode(values: np.ndarray, dtype: StorageType) -> np.ndarray:
    """Floats as they are stored, rounded to the nearest.

    Raises:
        SpecError: a finite value is too large for the type.
    """
    if values.dtype.kind != "f":
        raise ValueError(f"features are {values.dtype}, but must be floats")
    with np.errstate(over="ignore"):
        stored = _bfloat16(values) if dtype == "bfloat16" else values.astype(STORED[dtype], copy=False)
    if dtype == "float16" and values.dtype != np.float16:
        _require_range(values, stored)
    return stored


def decode(stored: np.ndarray, dtype: StorageType) -> np.ndarray:
    """Stored numbers as floats numpy can compute with; a copy for bfloat16 (as float32), else the same array."""
    if dtype != "bfloat16":
        return stored
    return (stored.astype(np.uint32) << 16).view(np.float32)


def _require_range(values: np.ndarray, stored: np.ndarray) -> None:
    overflow = np.isinf(stored)
    if overflow.any() and np.isfinite(values[overflow]).any():
        largest = float(np.abs(values[np.isfinite(values)]).max())
        raise SpecError(f"a feature is {largest:g}, but float16 ends at 65504; store as float32 or bfloat16")


def _bfloat16(values: np.ndarray) -> np.ndarray:
    exact = np.ascontiguousarray(values, dtype=np.float32)
    bits = exact.view(np.uint32)
    # Round to nearest, ties to even: half of the last kept place, less one where that place is even.
    rounded = ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)
    quiet_nan = ((bits >> 16) | 0x0040).astype(np.uint16)
    return np.where(np.isnan(exact), quiet_nan, rounded)
