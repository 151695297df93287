"""Features whose numbers say which row they belong to, so that a row in the wrong place shows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.data.feature_store.key import FeatureKey
from graft.data.feature_store.store import FeatureStore

ROWS, SHAPE = 50, (3, 4)
SHARD_BYTES = 10 * 48
"""Ten rows of float32 a shard."""


def numbers(start: int, stop: int) -> np.ndarray:
    """Rows whose value is their number, and a little more in each column."""
    return (np.arange(start, stop, dtype=np.float32)[:, None] + np.arange(12, dtype=np.float32) / 16).reshape(-1, 3, 4)


@dataclass
class Producer:
    """Produces `numbers` in chunks of seven, and remembers for which rows it was asked."""

    asked: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, start: int, stop: int) -> Iterator[np.ndarray]:
        self.asked.append((start, stop))
        for first in range(start, stop, 7):
            yield numbers(first, min(first + 7, stop))


@pytest.fixture
def make_key() -> Callable[..., FeatureKey]:
    """A key; what is given differs from the usual."""

    def make(**changes: Any) -> FeatureKey:
        usual = {"data_fingerprint": "d", "split": "train", "preprocessing": "{}", "view": None}
        return FeatureKey(**{**usual, "weights_digest": "w", "backbone": "net", "cut": 3, **changes})

    return make


@pytest.fixture
def key(make_key: Callable[..., FeatureKey]) -> FeatureKey:
    return make_key()


@pytest.fixture
def produce() -> Producer:
    return Producer()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "features"


@pytest.fixture
def store(root: Path) -> FeatureStore:
    """A store with small shards."""
    return FeatureStore(root, limit_bytes=10**6, shard_bytes=SHARD_BYTES)


@pytest.fixture
def flip() -> Callable[[Path], None]:
    """Changes one byte in the middle of a file's numbers."""

    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)

    return flip
