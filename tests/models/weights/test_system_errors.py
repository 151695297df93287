"""What the system says of a file that safetensors writes is an OSError, as of any other file."""

import errno
import os

import pytest
from safetensors import SafetensorError

from graft.models.weights.system_errors import system_errors


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_fault_of_the_disk_is_told_by_its_number(number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as told, system_errors():
        raise SafetensorError(f"Error while serializing: I/O error: what it is (os error {number})")
    assert told.value.errno == number


def test_a_fault_of_the_tensors_stays_what_it_is() -> None:
    with pytest.raises(SafetensorError), system_errors():
        raise SafetensorError("Error while serializing: a tensor is not contiguous")
