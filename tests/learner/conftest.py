"""Fixtures of `tests/fixtures/runs.py` and `tests/fixtures/learner_trials.py`."""

from tests.fixtures.learner_trials import here, make
from tests.fixtures.runs import clock, curve_search, curve_search_of, dataset, fold, make_file, training_data, trials

__all__ = [
    "clock",
    "curve_search",
    "curve_search_of",
    "dataset",
    "fold",
    "here",
    "make",
    "make_file",
    "training_data",
    "trials",
]
