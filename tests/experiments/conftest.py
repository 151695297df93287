"""Fixtures of `tests/fixtures/{homes,runs,stores}.py`."""

from tests.fixtures.azure_store import azure, azure_server
from tests.fixtures.google_store import google, google_server
from tests.fixtures.homes import folder_home, node, store_home
from tests.fixtures.runs import clock, curve_search, curve_search_of, dataset, fold, make_file, training_data, trials
from tests.fixtures.stores import no_stores, s3, s3_server

__all__ = [
    "azure",
    "azure_server",
    "clock",
    "curve_search",
    "curve_search_of",
    "dataset",
    "fold",
    "folder_home",
    "google",
    "google_server",
    "make_file",
    "no_stores",
    "node",
    "s3",
    "s3_server",
    "store_home",
    "training_data",
    "trials",
]
