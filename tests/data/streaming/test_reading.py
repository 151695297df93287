import numpy as np
import pytest

from graft.data.streaming.reading import blocks_of, rows_of_a_block


def test_every_rank_gets_its_first_block_before_any_gets_its_second():
    reading = [[np.array([0, 1]), np.array([4, 5]), np.array([8])], [np.array([2, 3]), np.array([6, 7])]]
    blocks = blocks_of(reading, 3)
    assert [(block.rank, block.rows.tolist()) for block in blocks] == [
        (0, [0, 1, 4]), (1, [2, 3, 6]), (0, [5, 8]), (1, [7]),
    ]  # fmt: skip


@pytest.mark.parametrize("reading", [[], [[]], [[], [np.empty(0, np.int64)]]])
def test_nothing_to_read_makes_no_block(reading):
    assert blocks_of(reading, 3) == []


@pytest.mark.parametrize(
    ("row_bytes", "rows"), [(1, 256), (32 * 32 * 3, 256), (224 * 224 * 3, 27), (10**8, 16), (0, 256)]
)
def test_blocks_hold_some_megabytes(row_bytes, rows):
    assert rows_of_a_block(row_bytes) == rows
