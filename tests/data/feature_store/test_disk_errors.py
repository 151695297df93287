import errno
import pickle

import pytest

from graft.core.errors import ResourceError
from graft.data.feature_store.disk_errors import NotStored, write_errors_are_clear


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EDQUOT, "no space left"),
        (errno.EFBIG, "no space left"),
        (errno.ENOENT, "the directory was removed"),
        (errno.EACCES, "denied"),
    ],
)
def test_the_disk_s_reason_is_named(tmp_path, number, reason):
    with (
        pytest.raises(NotStored, match=rf"features cannot be stored in {tmp_path} \({reason}\); "),
        write_errors_are_clear(tmp_path),
    ):
        raise OSError(number, "denied")


def test_a_full_disk_that_others_have_named_already(tmp_path):
    with pytest.raises(NotStored, match=r"^full$"), write_errors_are_clear(tmp_path):
        raise ResourceError("full")


def test_what_is_no_error_of_the_disk_passes(tmp_path):
    with pytest.raises(ValueError, match="x"), write_errors_are_clear(tmp_path):
        raise ValueError("x")


def test_it_is_a_missing_resource_and_survives_a_pickle():
    again = pickle.loads(pickle.dumps(NotStored("full")))
    assert (type(again), str(again), again.exit_code) == (NotStored, "full", ResourceError.exit_code)
