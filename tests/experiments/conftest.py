"""Fixtures of `tests/fixtures/{homes,runs,stores}.py`."""

from tests.fixtures.homes import folder_home, node, store_home
from tests.fixtures.runs import clock, curve_search, curve_search_of, dataset, fold, make_file, training_data, trials
from tests.fixtures.stores import no_stores, s3, s3_server

__all__ = [
    "clock", "curve_search", "curve_search_of", "dataset", "fold", "folder_home", "make_file", "no_stores", "node",
    "s3", "s3_server", "store_home", "training_data", "trials",
]  # fmt: skip
