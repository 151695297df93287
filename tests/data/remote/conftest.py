"""Fixtures of `tests/fixtures/stores.py` and `tests/fixtures/images.py`."""

from tests.fixtures.azurite import azurite, azurite_server
from tests.fixtures.images import encode, idx_directory, image_folder, noise, write_idx
from tests.fixtures.stores import knows_nobody, no_stores, s3, s3_server, web

__all__ = [
    "azurite",
    "azurite_server",
    "encode",
    "idx_directory",
    "image_folder",
    "knows_nobody",
    "no_stores",
    "noise",
    "s3",
    "s3_server",
    "web",
    "write_idx",
]
