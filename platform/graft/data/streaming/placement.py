"""Whether the decoded samples of a job are stored or streamed. A pure decision."""

import math
from dataclasses import dataclass

import numpy as np

from graft.core.errors import Problem, SpecError
from graft.data.columns import StorageSpec
from graft.spec.modalities.base import DataSpec

GB = 10**9
SHARE_OF_FREE = 0.5
"""Of the free disk, that decoded samples may take where the job names no limit: the rest is for features and
checkpoints."""


@dataclass(frozen=True)
class Placement:
    """Where decoded samples go.

    Attributes:
        is_streamed: whether they are decoded anew in every epoch, and none is stored.
        reason: why, with the bytes; fits behind "stored: " or "streamed: ".
    """

    is_streamed: bool
    reason: str


def place(spec: DataSpec, storage: StorageSpec, rows: int, free: int, is_there: bool = False) -> Placement:
    """Decide it.

    Args:
        spec: says what is wanted, and the limit.
        storage: the form that samples would be stored in.
        rows: how many samples there are.
        free: bytes that the disk has free.
        is_there: whether they are stored already.

    Raises:
        SpecError: streaming is asked for, but samples of this kind cannot be streamed.
    """
    each = row_bytes(storage)
    if each is None:
        if spec.store == "stream":
            rule = f"is `stream`, but only samples of one shape are streamed, and those of {storage.modality} are not"
            raise SpecError([Problem("data.store", f"{rule}; leave it out")])
        return Placement(False, f"samples of {storage.modality} differ in length, and are as small stored as they come")
    total = each * rows
    size = f"{rows:,} samples of {_told(each)} are {_told(total)} decoded"
    if spec.store != "auto":
        return Placement(spec.store == "stream", f"{size}; data.store says so")
    if is_there:
        return Placement(False, f"{size}, and are there from an earlier run")
    limit = free * SHARE_OF_FREE if spec.disk_gb is None else spec.disk_gb * GB
    whose = f"half of the {_told(free)} that are free" if spec.disk_gb is None else "data.disk_gb"
    if total > limit:
        return Placement(True, f"{size}, more than {whose} allows ({_told(limit)})")
    return Placement(False, f"{size}, within {whose}")


def row_bytes(storage: StorageSpec) -> int | None:
    """Bytes of a stored sample, in all columns; None where samples differ in length."""
    if not storage.columns or any(column.shape is None for column in storage.columns):
        return None
    return sum(math.prod(column.shape or ()) * np.dtype(column.dtype).itemsize for column in storage.columns)


def _told(size: float) -> str:
    for unit, name in ((GB, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size:.0f} bytes"
