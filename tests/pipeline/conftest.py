"""Fixtures of `tests/fixtures/runs.py`."""

from tests.fixtures.runs import clock, curve_search, curve_search_of, dataset, fold, make_file, training_data, trials

__all__ = ["clock", "curve_search", "curve_search_of", "dataset", "fold", "make_file", "training_data", "trials"]
