"""Fixtures of `tests/fixtures/images.py`."""

from tests.fixtures.images import encode, folder, idx_directory, image_folder, noise, pixels, write_idx

__all__ = ["encode", "folder", "idx_directory", "image_folder", "noise", "pixels", "write_idx"]
