"""Fixtures of `tests/fixtures/runs.py`."""

from tests.fixtures.runs import trials

__all__ = ["trials"]
