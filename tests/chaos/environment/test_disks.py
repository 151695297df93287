"""A small disk can be full, and a file can be read-only, as long as the block lasts; only root can see that."""

import errno
import shutil

import pytest

from graft.chaos.environment.disks import can_mount, fill, free_again, read_only, small_disk, unreachable


@pytest.fixture
def root(tmp_path):
    lack = can_mount(tmp_path)
    if lack:
        pytest.skip(lack)
    return tmp_path


def test_a_full_disk_takes_nothing_more_until_there_is_room_again(root):
    with small_disk(root / "disk", 4) as disk:
        fill(disk, 0)
        with pytest.raises(OSError, match="No space left") as caught:
            (disk / "file").write_bytes(b"x")
        assert caught.value.errno == errno.ENOSPC
        free_again(disk)
        (disk / "file").write_bytes(bytes(1 << 20))
    assert list((root / "disk").iterdir()) == [], "what was on it is gone with it"


def test_so_many_bytes_are_left(root):
    with small_disk(root / "disk", 8) as disk:
        fill(disk, 2 << 20)
        assert (2 << 20) <= shutil.disk_usage(disk).free < (3 << 20)


def test_what_is_unreachable_comes_back_as_it_was(root):
    (root / "home").mkdir()
    (root / "home" / "file").write_text("before")
    with (root / "home" / "file").open("a") as stream:
        with unreachable(root / "home"):
            assert not (root / "home" / "file").exists()
            with pytest.raises(OSError, match="Read-only"):
                (root / "home" / "other").write_text("x")
            stream.write(", meanwhile")
        stream.flush()
    assert (root / "home" / "file").read_text() == "before, meanwhile"


def test_a_read_only_file_cannot_be_opened_for_writing(root):
    file = root / "file"
    file.write_text("before")
    with read_only(file), pytest.raises(OSError, match="Read-only"):
        file.open("a")
    file.write_text("after")
