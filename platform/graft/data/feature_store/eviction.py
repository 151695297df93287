"""How large the store may be, and what goes first when it is full. Nothing is deleted here."""

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import SpecError

VARIABLE = "GRAFT_CACHE_GB"
GB = 10**9
DEFAULT_SHARE = 0.25
"""Of what is free and what the store holds already: enough to be useful, and the disk is never filled by it."""


@dataclass(frozen=True)
class Holding:
    """What a directory means to the one who makes room.

    Attributes:
        digest: of its key.
        bytes: what deleting it gives back.
        last_used: seconds since the epoch.
        in_use: whether a reader or a builder holds it.
    """

    digest: str
    bytes: int
    last_used: float
    in_use: bool


@dataclass(frozen=True)
class Usage:
    """The state of the disk, in bytes.

    Attributes:
        held: by what is finished.
        promised: to what is being built, all of it.
        unwritten: the part of `promised` that is not on the disk yet.
        free: on the disk.
        limit: what the store may hold.
    """

    held: int
    promised: int
    unwritten: int
    free: int
    limit: int

    def excess(self, need: int) -> int:
        """How much must go before `need` bytes have room, within the limit as on the disk; 0 if nothing must."""
        over_limit = self.held + self.promised + need - self.limit
        over_disk = need + self.unwritten - self.free
        return max(over_limit, over_disk, 0)


def choose_victims(holdings: Sequence[Holding], excess: int) -> tuple[str, ...] | None:
    """Digests of what to delete, least recently used first, never one in use; None if all of that is not enough."""
    chosen: list[str] = []
    for one in sorted((one for one in holdings if not one.in_use), key=lambda one: one.last_used):
        if excess <= 0:
            break
        chosen.append(one.digest)
        excess -= one.bytes
    return tuple(chosen) if excess <= 0 else None


def cache_limit(root: Path, held: int, environment: Mapping[str, str] = os.environ) -> int:
    """Bytes the store may hold: ``GRAFT_CACHE_GB`` x 10^9, else a quarter of what is free or held by it already.

    Raises:
        SpecError: the variable is not a number >= 0.
    """
    text = environment.get(VARIABLE)
    if not text:
        return int(DEFAULT_SHARE * (free_bytes(root) + held))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise SpecError(f"{VARIABLE} is `{text}`, but must be a number >= 0 (GB of 10^9 bytes); 0 turns the cache off")
    return int(value * GB)


def free_bytes(root: Path) -> int:
    """What is free on the disk where `root` is, or will be."""
    there = next(path for path in (root, *root.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
