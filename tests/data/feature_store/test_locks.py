import errno
import fcntl
import gc
import pickle

import pytest

from graft.chaos.environment.disks import can_mount, read_only_tree
from graft.core.errors import ResourceError
from graft.data.feature_store import locks
from graft.data.feature_store.locks import NotStored, write_errors_are_clear


@pytest.fixture
def path(tmp_path):
    return tmp_path / "locks" / "x"


def test_alone_keeps_everybody_out(path):
    with locks.exclusive(path):
        assert locks.try_exclusive(path) is None
        assert locks.is_held(path)
    assert not locks.is_held(path)
    locks.try_exclusive(path).close()


def test_shared_keeps_out_only_who_wants_it_alone(path):
    with locks.shared(path), locks.shared(path):
        assert locks.try_exclusive(path) is None
        assert locks.is_held(path)
    assert not locks.is_held(path)


def test_closing_twice_does_no_harm(path):
    lock = locks.shared(path)
    lock.close()
    with locks.exclusive(path):
        lock.close()
        assert locks.is_held(path)


def test_a_lock_nobody_can_reach_is_let_go(path):
    lock = locks.shared(path)
    del lock
    gc.collect()
    assert not locks.is_held(path)


def test_a_missing_file_is_not_held_and_not_made(path):
    assert not locks.is_held(path)
    assert not path.parent.exists()


def test_looking_needs_no_disk_that_can_be_written(path, tmp_path):
    if reason := can_mount(tmp_path):
        pytest.skip(reason)
    with locks.shared(path), read_only_tree(tmp_path):
        assert locks.is_held(path)
    with read_only_tree(tmp_path):
        assert not locks.is_held(path)


@pytest.mark.parametrize("take", [locks.shared, locks.exclusive])
def test_a_lock_on_a_deleted_file_is_no_lock(path, monkeypatch, take):
    """Whose file is deleted before it is locked must not believe to have the lock: the next one makes a new file."""
    real, taken = fcntl.flock, []

    def delete_first(handle, operation):
        if not taken:
            taken.append(handle)
            path.unlink()
        real(handle, operation)

    monkeypatch.setattr(fcntl, "flock", delete_first)
    with take(path):
        assert path.exists()
        assert locks.try_exclusive(path) is None


def test_who_waits_is_told_and_may_give_up(path):
    told = []

    def tell(seconds):
        told.append(seconds)
        if len(told) == 3:
            raise KeyboardInterrupt

    with locks.exclusive(path), pytest.raises(KeyboardInterrupt):
        locks.exclusive(path, tell)
    assert told == sorted(told)
    assert not locks.is_held(path)


def test_who_waits_gets_it_when_it_is_free(path):
    held = locks.shared(path)
    with locks.exclusive(path, lambda _: held.close()):
        assert locks.is_held(path)


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


def test_on_a_disk_that_cannot_be_written_those_who_read_hold_a_lock_that_is_there(tmp_path, monkeypatch):
    locks.shared(tmp_path / "there").close()

    def refuse(path, flags):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(locks, "open_private", refuse)
    with locks.shared(tmp_path / "there"):
        pass
    for hold, name in ((locks.shared, "missing"), (locks.try_exclusive, "there")):
        with pytest.raises(OSError, match="Read-only"):
            hold(tmp_path / name)
