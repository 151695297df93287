import os
from pathlib import Path

from graft.tracking.locking import exclusive, holder


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
        assert holder(lock) == os.getpid()
    assert holder(lock) is None
