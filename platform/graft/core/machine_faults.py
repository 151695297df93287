"""Which errors of the operating system are the machine's fault, and what to tell the user of them. Pure but for looks
at the disk and at the kernel's counters."""

import errno
import os
import re
from pathlib import Path

_FAULTS = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room, or have the quota raised",
    errno.EFBIG: "raise the limit (`ulimit -f`), or choose another --home, on a file system for large files",
    errno.EROFS: "have it mounted for writing, or choose another --home",
    errno.EACCES: "have the permission changed, or choose another --home",
    errno.EPERM: "have the permission changed, or choose another --home",
    errno.EIO: "look after the disk, or choose another --home",
    errno.ESTALE: "have it mounted anew",
    errno.ENOTCONN: "have it mounted anew",
    errno.EMFILE: "raise the limit (`ulimit -n`)",
    errno.ENFILE: "end other programs",
    errno.ENOMEM: "free memory, or run less at once",
    errno.EAGAIN: "end other programs, or raise the limit of processes (`ulimit -u`)",
    errno.ETXTBSY: "wait for the program that runs it",
    errno.ENAMETOOLONG: "choose a shorter --home or name",
    errno.ELOOP: "correct the links",
    errno.ENOTDIR: "remove the file that stands in the place of a directory, or choose another --home",
}

# What the loader of shared objects says where the address space has no room for one, in place of an error number.
_UNMAPPED = "failed to map segment from shared object"

# What numpy says where a file takes less than it was given, in place of an error number.
_CUT_SHORT = re.compile(r"\d+ requested and \d+ written")

VMSTAT = Path("/proc/vmstat")
"""Where Linux tells its counters."""
_KILLS = "oom_kill"


def machine_fault(error: BaseException) -> str | None:
    """One line for an error that the machine is to blame for, and not graft; None for any other."""
    if isinstance(error, MemoryError) or (isinstance(error, ImportError) and _UNMAPPED in str(error)):
        return "the machine has no memory left for this; free some, or run less at once"
    if not isinstance(error, OSError):
        return None
    if is_full_disk(error) and error.errno is None:
        return f"{os.strerror(errno.ENOSPC)}; {_FAULTS[errno.ENOSPC]}"
    if error.errno not in _FAULTS:
        return None
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    reason = error.strerror or os.strerror(error.errno)
    if error.errno == errno.ENOSPC and where and is_out_of_inodes(Path(os.fsdecode(error.filename))):
        return f"{where}no inodes left (its disk has room, but for no more files); delete some"
    return f"{where}{reason}; {_FAULTS[error.errno]}"


def is_full_disk(error: OSError) -> bool:
    """Whether a disk, or a user's share of it, has no room left."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or (
        error.errno is None and _CUT_SHORT.fullmatch(str(error)) is not None
    )


def memory_kills(vmstat: Path | None = None) -> int:
    """How many processes the kernel has ended for lack of memory since the machine was started.

    Those that were over the memory limit of a container are among them; 0 where the system does not count.

    Args:
        vmstat: where it tells; `VMSTAT` if left out.
    """
    try:
        pairs = [line.split() for line in (vmstat or VMSTAT).read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError):
        return 0
    return next((int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] == _KILLS and pair[1].isdigit()), 0)


def is_out_of_inodes(path: Path) -> bool:
    """Whether the disk of a path, which need not be there, has room and cannot hold another file."""
    there = next((one for one in (path, *path.parents) if one.exists()), None)
    if there is None or not hasattr(os, "statvfs"):
        return False
    disk = os.statvfs(there)
    return disk.f_files > 0 and disk.f_favail == 0 and disk.f_bavail > 0
