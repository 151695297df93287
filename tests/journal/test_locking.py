import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from graft.chaos.environment.disks import can_mount, read_only_tree
from graft.core.process_identity import ProcessIdentity
from graft.journal import locking
from graft.journal.locking import exclusive, holder, is_held, try_lock


def test_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / "lock"
    with exclusive(lock) as first, exclusive(lock, wait=False) as second:
        assert first
        assert not second
    with exclusive(lock, wait=False) as third:
        assert third


def test_who_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert holder(lock) is None
    with exclusive(lock):
        assert is_held(lock)
        assert holder(lock) == ProcessIdentity.here()
    assert not is_held(lock)
    assert holder(lock) is None


def test_looking_writes_nothing(tmp_path: Path) -> None:
    """Whoever asks how things stand may do so on a disk that can only be read."""
    lock = tmp_path / "lock"
    assert not is_held(lock)
    assert holder(lock) is None
    assert not lock.exists()
    with exclusive(lock):
        pass
    before = lock.read_bytes(), lock.stat().st_mtime_ns
    if reason := can_mount(tmp_path):
        pytest.skip(reason)
    with read_only_tree(tmp_path):
        assert not is_held(lock)
        assert holder(lock) is None
    assert (lock.read_bytes(), lock.stat().st_mtime_ns) == before


def test_who_waits_for_long_says_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locking, "PATIENCE_S", 0.1)
    lock = tmp_path / "lock"
    waits = threading.Event()
    caplog.handler.addFilter(lambda record: waits.set() or True)  # type: ignore[func-returns-value]

    def hold() -> None:
        with exclusive(lock):
            held.set()
            waits.wait()

    held = threading.Event()
    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    with exclusive(lock) as is_held_now:
        assert is_held_now
    assert f"waits for process {os.getpid()} to let go of {lock}" in caplog.text


@pytest.mark.parametrize("content", ["", "4711", "{}", "\udcff"])
def test_a_holder_that_does_not_say_who_it_is_is_nobody_to_be_signalled(tmp_path: Path, content: str) -> None:
    lock = tmp_path / "lock"
    with exclusive(lock):
        lock.write_text(content, errors="surrogateescape")
        assert is_held(lock)
        assert holder(lock) is None


def test_nobody_else_can_read_or_hold_a_lock_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with exclusive(tmp_path / "lock"):
            assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_a_lock_is_tried_and_told(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    first, second = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    assert try_lock(first, fcntl.LOCK_EX, attempts=1) is True
    assert try_lock(second, fcntl.LOCK_SH, attempts=2) is False
    os.close(first)
    assert try_lock(second, fcntl.LOCK_EX, attempts=1) is True
    os.close(second)


def test_a_file_system_without_locks_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(file: int, mode: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("graft.journal.locking.fcntl.flock", unsupported)
    assert try_lock(0, fcntl.LOCK_EX, attempts=3) is None
