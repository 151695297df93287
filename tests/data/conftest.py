"""Fixtures of `tests/fixtures/images.py`."""

from tests.fixtures.images import encode, idx_directory, image_folder, noise, write_idx

__all__ = ["encode", "idx_directory", "image_folder", "noise", "write_idx"]
