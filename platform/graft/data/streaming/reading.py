"""In which order the samples of a pass are decoded, when several processes each take their part. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graft.data.augmentation.draws import Rows

_BLOCK_BYTES = 4 * 1024**2
_FEWEST_ROWS, _MOST_ROWS = 16, 256
"""Small blocks are there soon and bound the memory; large ones cost fewer remote calls."""

Reading = Sequence[Sequence[Rows]]
"""For each process, the rows [B] of each batch that it is going to ask for, in order."""


@dataclass(frozen=True)
class Block:
    """What one remote call decodes.

    Attributes:
        rank: the process that it is for.
        rows: int64 [n].
    """

    rank: int
    rows: Rows


def blocks_of(reading: Reading, block_rows: int) -> list[Block]:
    """Blocks in the order in which all processes need them: each gets its first before any gets its second.

    A process that joins its own blocks has the rows of its batches, one behind the other.
    """
    joined = [_joined(batches) for batches in reading]
    longest = max((len(rows) for rows in joined), default=0)
    return [
        Block(rank, rows[start : start + block_rows])
        for start in range(0, longest, block_rows)
        for rank, rows in enumerate(joined)
        if start < len(rows)
    ]


def rows_of_a_block(row_bytes: int) -> int:
    """How many samples of this size are decoded at once."""
    return int(np.clip(_BLOCK_BYTES // max(row_bytes, 1), _FEWEST_ROWS, _MOST_ROWS))


def _joined(batches: Sequence[Rows]) -> Rows:
    return np.concatenate(batches) if batches else np.empty(0, np.int64)
