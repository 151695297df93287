"""Fixtures of `tests/fixtures/images.py`."""

from tests.fixtures.images import encode, noise

__all__ = ["encode", "noise"]
