"""Fixtures of `tests/fixtures/{homes,runs}.py`."""

from tests.fixtures.homes import folder_home, node
from tests.fixtures.runs import clock, curve_search, curve_search_of, dataset, fold, make_file, training_data, trials

__all__ = [
    "clock", "curve_search", "curve_search_of", "dataset", "fold", "folder_home", "make_file", "node", "training_data",
    "trials",
]  # fmt: skip
