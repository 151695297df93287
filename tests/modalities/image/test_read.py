import os

import numpy as np

from graft.modalities.image.read import FileReader, PixelReader


def test_a_file_is_content_and_pixels(tmp_path, encode, noise):
    pixels = noise(5, 6, 3)
    path = tmp_path / "a.png"
    path.write_bytes(encode(pixels))
    content, decoded, *_ = FileReader(1000)(os.fsencode(path), 4)
    assert content == path.read_bytes()
    np.testing.assert_array_equal(decoded, pixels)


def test_raw_pixels_are_their_own_content(noise):
    pixels = noise(5, 6)
    content, decoded, *_ = PixelReader((5, 6))(pixels.tobytes(), 4)
    assert content == pixels.tobytes()
    np.testing.assert_array_equal(decoded, pixels)
