"""A streamed epoch is the stored one, for any number of workers."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from graft.data.augmentation.draws import Rows
from graft.data.batches import Batches, Shard
from graft.data.columns import ColumnSpec
from graft.data.streaming.reading import Reading, blocks_of
from graft.data.streaming.samples import StreamedColumn
from graft.modalities.image.info import PIXELS, ImageInput
from graft.modalities.image.storage import StoredImages
from graft.modalities.image.transforms import ImageInputs, preprocessing_of

STORED = np.random.default_rng(0).integers(0, 256, (53, 8, 8, 3), dtype=np.uint8)
GIVEN = preprocessing_of(StoredImages(8, 3), 8, ImageInput((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic", 4))
COLUMN = ColumnSpec(PIXELS, "uint8", (8, 8, 3))


@dataclass(frozen=True)
class Kept:
    """Samples that are there, in place of those that must be decoded."""

    column: ColumnSpec = COLUMN

    def decode(self, rows: Rows) -> np.ndarray:
        return STORED[rows]


def in_blocks(samples: Any, reading: Reading, rank: int) -> Generator[np.ndarray, None, None]:
    """What a pipeline gives a rank, in blocks that are no batches."""
    yield from (samples.decode(block.rows) for block in blocks_of(reading, 7) if block.rank == rank)


def batches(stored: Any, shard: Shard) -> Batches:
    inputs = ImageInputs(stored, GIVEN, torch.device("cpu"))
    return Batches(inputs, np.arange(53) % 3, np.arange(3, 53), 8, shard)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_streamed_pass_is_the_stored_one(size: int) -> None:
    streamed = StreamedColumn(Kept(), 53, in_blocks)  # type: ignore[arg-type]
    for rank in range(size):
        mine, theirs = (batches(stored, Shard(rank, size)) for stored in (streamed, STORED))
        for first in (0, 4):
            pairs = zip(mine.epoch(0, 2, first=first), theirs.epoch(0, 2, first=first), strict=True)
            assert all(torch.equal(a.inputs[PIXELS], b.inputs[PIXELS]) and a.total == b.total for a, b in pairs)
        scored = zip(mine.for_evaluation(), theirs.for_evaluation(), strict=True)
        assert all(torch.equal(a[PIXELS], b[PIXELS]) for (_, a), (_, b) in scored)
