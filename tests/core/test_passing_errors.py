import errno
import os

import pytest

from graft.core.errors import ResourceError
from graft.core.passing_errors import is_passing, is_used_up, machine_errors, reason_of


@pytest.mark.parametrize(
    ("error", "used_up", "passing"),
    [
        (MemoryError(), True, True),
        (OSError(errno.EMFILE, "x"), True, True),
        (OSError(errno.ENOSPC, "x"), True, True),
        (PermissionError(errno.EACCES, "x"), False, True),
        (OSError(errno.EIO, "x"), False, True),
        (FileNotFoundError(errno.ENOENT, "x"), False, False),
        (IsADirectoryError(errno.EISDIR, "x"), False, False),
        (OSError("without a number"), False, False),
        (ValueError(), False, False),
    ],
)
def test_what_is_the_machines_fault(error, used_up, passing):
    assert (is_used_up(error), is_passing(error)) == (used_up, passing)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
            "no memory left",
        ),
        (RuntimeError("Cannot allocate memory (os error 12)"), "no memory left"),
        (MemoryError(), "no memory left"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), os.strerror(errno.EIO)),
        (ValueError("the first line\nand another"), "the first line"),
        (ValueError(), "ValueError"),
    ],
)
def test_the_reason_is_a_few_words(error, told):
    assert reason_of(error) == told


def test_only_what_the_machine_is_to_blame_for_becomes_its_error():
    with (
        pytest.raises(ResourceError, match=r"^a\.csv cannot be read \(no memory left\), which is no fault of the file"),
        machine_errors("a.csv"),
    ):
        raise MemoryError
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with pytest.raises(PermissionError), machine_errors("a.csv"):
        raise denied
    with pytest.raises(ResourceError, match="check permissions and the disk"), machine_errors("a.csv", is_ours=True):
        raise denied
    with pytest.raises(FileNotFoundError), machine_errors("a.csv", is_ours=True):
        raise FileNotFoundError(errno.ENOENT, "x")
