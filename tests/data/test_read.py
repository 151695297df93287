import os

import numpy as np
import pytest

from graft.data import read
from graft.data.decode import Unreadable
from graft.data.read import FileReader, PixelReader, read_file


def test_a_file_is_content_and_pixels(tmp_path, encode, noise):
    pixels = noise(5, 6, 3)
    path = tmp_path / "a.png"
    path.write_bytes(encode(pixels))
    content, decoded = FileReader(1000)(os.fsencode(path), 4)
    assert content == path.read_bytes()
    np.testing.assert_array_equal(decoded, pixels)


def test_raw_pixels_are_their_own_content(noise):
    pixels = noise(5, 6)
    content, decoded = PixelReader((5, 6))(pixels.tobytes(), 4)
    assert content == pixels.tobytes()
    np.testing.assert_array_equal(decoded, pixels)


def test_what_cannot_be_opened_says_why(tmp_path):
    with pytest.raises(Unreadable, match="No such file"):
        read_file(tmp_path / "gone.png")
    with pytest.raises(Unreadable, match="not a regular file"):
        read_file(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(Unreadable, match="not a regular file"):
        read_file(tmp_path / "pipe.png")


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "MAX_FILE_BYTES", 10)
    (tmp_path / "a.png").write_bytes(bytes(11))
    with pytest.raises(Unreadable, match="more than an image can have"):
        read_file(tmp_path / "a.png")
