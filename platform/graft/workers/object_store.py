"""How large the object store of a Ray of our own is, and where: it must fit where it lies (Ray 2.60). Pure but for
`machine_memory` and `shared_memory`."""

import os
from dataclasses import dataclass
from pathlib import Path

MB = 1 << 20
# It needs room for the dataset only; Ray's own default (30 % of the memory) is reserved at start.
MOST = 4096 * MB
# Ray accepts 75 MB at least.
LEAST = 100 * MB
SHARED_MEMORY = Path("/dev/shm")
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class ObjectStore:
    """Where objects that processes share are kept.

    Attributes:
        bytes: its size.
        is_on_disk: whether it lies on the disk, because the shared memory is too small.
        note: one line for the user, if it is not as it should be.
    """

    bytes: int
    is_on_disk: bool = False
    note: str = ""


def plan_object_store(memory: int, shared: int | None) -> ObjectStore:
    """A quarter of the memory, in shared memory if half of that has room for the least; else on the disk.

    Args:
        memory: that may be used.
        shared: free shared memory; None where there is no such thing.
    """
    wanted = max(LEAST, min(memory // 4, MOST))
    if shared is None or shared // 2 >= wanted:
        return ObjectStore(wanted)
    if shared // 2 >= LEAST:
        return ObjectStore(shared // 2)
    there = f"{SHARED_MEMORY} has {shared // MB} MB"
    how = f"so Ray's {wanted // MB} MB of shared objects are on the disk, which is slower"
    return ObjectStore(wanted, True, f"{there}, {how}; a container has more with --shm-size=1g")


def machine_memory() -> int:
    """Bytes that this process may use: what the machine has, or what its container is limited to."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in _LIMITS:
        try:
            found.append(int(limit.read_text()))
        except (OSError, ValueError):  # another version of cgroups, or `max`
            continue
    return min(found)


def shared_memory() -> int | None:
    """Bytes that are free in the shared memory; None where there is none."""
    if not SHARED_MEMORY.is_dir():
        return None
    shared = os.statvfs(SHARED_MEMORY)
    return shared.f_bavail * shared.f_frsize


def object_store_here() -> ObjectStore:
    """What fits on this machine, now."""
    return plan_object_store(machine_memory(), shared_memory())
