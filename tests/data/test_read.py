import errno
import os

import pytest

from graft.core.errors import ResourceError
from graft.data.read import Unreachable, Unreadable, read_file


def test_what_cannot_be_opened_says_why(tmp_path):
    with pytest.raises(Unreadable, match="No such file"):
        read_file(tmp_path / "gone.png")
    with pytest.raises(Unreadable, match="not a regular file"):
        read_file(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(Unreadable, match="not a regular file"):
        read_file(tmp_path / "pipe.png")


def test_a_huge_file_is_not_read(tmp_path):
    (tmp_path / "a.png").write_bytes(bytes(11))
    with pytest.raises(Unreadable, match="more than a sample can have"):
        read_file(tmp_path / "a.png", 10)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS, .* `git lfs pull`"),
        (b"/annex/objects/SHA256E-s9--0.png\n", "git-annex, .* `git annex get`"),
    ],
)
def test_what_stands_in_a_clone_for_a_file_is_not_the_file(content, told, tmp_path):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(Unreadable, match=f"^is a pointer of {told}$"):
        read_file(tmp_path / "a.txt")


def test_a_path_that_is_none_is_told(tmp_path):
    with pytest.raises(Unreadable, match="is no path"):
        read_file(b"a\0b")


def test_a_file_within_the_limit_is_read_whole(tmp_path):
    (tmp_path / "a.png").write_bytes(bytes(11))
    assert read_file(os.fsencode(tmp_path / "a.png")) == bytes(11)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN])
@pytest.mark.parametrize("step", ["stat", "open"])
def test_what_cannot_be_had_now_is_no_fault_of_the_bytes(step, number, tmp_path, monkeypatch):
    (tmp_path / "a.png").touch()
    _fails(monkeypatch, step, OSError(number, os.strerror(number)))
    with pytest.raises(Unreachable, match=rf"^cannot be read \({os.strerror(number)}\)$"):
        read_file(tmp_path / "a.png")


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG])
def test_what_is_wrong_with_a_path_stays_so(number, tmp_path, monkeypatch):
    _fails(monkeypatch, "stat", OSError(number, os.strerror(number)))
    with pytest.raises(Unreadable) as raised:
        read_file(tmp_path / "a.png")
    assert not isinstance(raised.value, Unreachable)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "raise the limit of open files"),
        (OSError(errno.ENFILE, "Too many open files in system"), "raise the limit of open files"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "free some memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "free some of the disk"),
        (MemoryError(), "free some memory"),
    ],
)
def test_what_the_machine_lacks_ends_the_reading_with_a_line(error, remedy, tmp_path, monkeypatch):
    (tmp_path / "a.png").touch()
    _fails(monkeypatch, "open", error)
    with pytest.raises(
        ResourceError, match=rf"^{tmp_path}/a.png cannot be read .*, which is no fault .*{remedy}"
    ) as told:
        read_file(tmp_path / "a.png")
    assert told.value.exit_code == 3


def test_a_file_that_holds_more_than_its_size_says_is_not_read_to_its_end(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(bytes(100))
    os.truncate(tmp_path / "a.png", 5)
    found = os.stat(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(bytes(100))
    monkeypatch.setattr(os, "stat", lambda *args: found)
    monkeypatch.setattr(os, "fstat", lambda *args: found)
    with pytest.raises(Unreadable, match="more than a sample can have"):
        read_file(tmp_path / "a.png", 10)


def test_what_becomes_a_pipe_after_the_look_is_refused_and_nobody_waits(tmp_path, monkeypatch):
    (tmp_path / "a.png").touch()
    found = os.stat(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.setattr(os, "stat", lambda *args: found)
    with pytest.raises(Unreadable, match="not a regular file"):
        read_file(tmp_path / "pipe.png")


def test_devices_are_refused():
    for path in ("/dev/zero", "/dev/null", "/dev/stdin"):
        with pytest.raises(Unreadable):
            read_file(path)


def _fails(monkeypatch, step, error):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr(os, step, fail)
