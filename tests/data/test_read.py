import os

import pytest

from graft.data.read import Unreadable, read_file


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


def test_a_path_that_is_none_is_told(tmp_path):
    with pytest.raises(Unreadable, match="is no path"):
        read_file(b"a\0b")


def test_a_file_within_the_limit_is_read_whole(tmp_path):
    (tmp_path / "a.png").write_bytes(bytes(11))
    assert read_file(os.fsencode(tmp_path / "a.png")) == bytes(11)
