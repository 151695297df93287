"""A pool to explore."""

import pytest
from tests.fixtures.pools import Pool


@pytest.fixture
def pool() -> Pool:
    return Pool()
