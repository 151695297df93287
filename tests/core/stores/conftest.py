"""Fixtures of `tests/fixtures`: homes, and stores of each kind."""

from tests.fixtures.azure_store import azure, azure_server
from tests.fixtures.azurite import azurite, azurite_server
from tests.fixtures.google_store import google, google_server
from tests.fixtures.homes import folder_home, gate, node, object_home, store_home
from tests.fixtures.stores import knows_nobody, no_stores, s3, s3_server

__all__ = [
    "azure",
    "azure_server",
    "azurite",
    "azurite_server",
    "folder_home",
    "gate",
    "google",
    "google_server",
    "knows_nobody",
    "no_stores",
    "node",
    "object_home",
    "s3",
    "s3_server",
    "store_home",
]
