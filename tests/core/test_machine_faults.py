"""What the machine is to blame for is told as that, in one line."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from graft.core.errors import ResourceError
from graft.core.machine_faults import is_full_disk, is_out_of_inodes, machine_fault, memory_kills
from graft.core.storage import disk_full_is_clear


@pytest.fixture
def no_inodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_files=10, f_favail=0, f_bavail=10))


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "/a: No space left on device; make room"),
        (
            errno.ENOTDIR,
            "/a: Not a directory; remove the file that stands in the place of a directory, or choose another --home",
        ),
        (errno.EROFS, "/a: Read-only file system; have it mounted for writing, or choose another --home"),
        (errno.EACCES, "/a: Permission denied; have the permission changed, or choose another --home"),
        (
            errno.EFBIG,
            "/a: File too large; raise the limit (`ulimit -f`), or choose another --home, on a file system for large "
            "files",
        ),
        (errno.EMFILE, "/a: Too many open files; raise the limit (`ulimit -n`)"),
    ],
)
def test_an_error_of_the_system_says_what_to_do(number: int, told: str) -> None:
    assert machine_fault(OSError(number, os.strerror(number), "/a")) == told


def test_a_full_disk_that_only_numpy_tells_of_is_one(tmp_path: Path) -> None:
    error = OSError("153600 requested and 100320 written")
    assert machine_fault(error) == "No space left on device; make room"
    with pytest.raises(ResourceError, match=f"no space left while writing {tmp_path}"), disk_full_is_clear(tmp_path):
        raise error


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only: a device that is always full")
def test_that_is_what_numpy_says() -> None:
    with open("/dev/full", "wb") as full, pytest.raises(OSError, match="requested") as told:
        np.zeros(100_000).tofile(full)  # as `np.save` does it
    assert is_full_disk(told.value)


def test_memory_is_the_machines() -> None:
    assert "no memory left" in str(machine_fault(MemoryError()))


@pytest.mark.parametrize("error", [ValueError("x"), FileNotFoundError(errno.ENOENT, "no", "/a"), OSError("x")])
def test_a_bug_stays_a_bug(error: Exception) -> None:
    assert machine_fault(error) is None


def test_a_disk_without_inodes_has_room_all_the_same(no_inodes: None, tmp_path: Path) -> None:
    assert is_out_of_inodes(tmp_path / "not" / "there")
    told = machine_fault(OSError(errno.ENOSPC, "No space left on device", str(tmp_path)))
    assert told == f"{tmp_path}: no inodes left (its disk has room, but for no more files); delete some"
    with pytest.raises(ResourceError, match="no inodes left"), disk_full_is_clear(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_this_disk_has_inodes(tmp_path: Path) -> None:
    assert not is_out_of_inodes(tmp_path)


def test_a_library_that_finds_no_room_in_memory_is_no_bug_of_graft():
    error = ImportError("libtorch_cpu.so: failed to map segment from shared object")
    assert machine_fault(error) == machine_fault(MemoryError())
    assert machine_fault(ImportError("No module named x")) is None


@pytest.mark.parametrize(
    ("content", "count"),
    [("a 1\noom_kill 3\nb 2\n", 3), ("a 1\n", 0), ("oom_kill x\n", 0), ("oom_kill\n", 0), (None, 0)],
)
def test_the_kernel_counts_whom_it_ends(content: str | None, count: int, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "vmstat").write_text(content)
    assert memory_kills(tmp_path / "vmstat") == count
