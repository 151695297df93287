"""Fixtures of `tests/fixtures/{homes,stores}.py`."""

from tests.fixtures.homes import folder_home, node, store_home
from tests.fixtures.stores import knows_nobody, no_stores, s3, s3_server

__all__ = ["folder_home", "knows_nobody", "no_stores", "node", "s3", "s3_server", "store_home"]
