"""The server of `tests/fixtures/stores.py`, which mocks all of AWS."""

from tests.fixtures.stores import s3_server

__all__ = ["s3_server"]
