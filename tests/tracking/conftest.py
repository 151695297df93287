"""Fixtures of `tests/fixtures/journals.py`."""

from tests.fixtures.journals import clock, experiment_dir, journal, shown, store_root, story, target, told

__all__ = ["clock", "experiment_dir", "journal", "shown", "store_root", "story", "target", "told"]
