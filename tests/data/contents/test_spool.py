"""Pieces on the disk are those that were given, in whatever order they are asked for."""

import pickle
import random

import pytest

from graft.data.contents import spool
from graft.data.contents.spool import Spool


@pytest.mark.parametrize("in_memory", [0, 40, 1 << 20])
def test_pieces_come_back(in_memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_IN_MEMORY", in_memory)
    draw = random.Random(0)
    pieces = [bytes(draw.randrange(256) for _ in range(draw.choice((0, 1, 7, 60)))) for _ in range(200)]
    found = Spool(pieces)
    assert list(found) == pieces
    assert [found[row] for row in range(-1, -201, -1)] == pieces[::-1]
    assert found[3:150:7] == pieces[3:150:7]
    assert (len(found), found.num_bytes) == (200, sum(map(len, pieces)))
    assert list(pickle.loads(pickle.dumps(found))) == pieces
    with pytest.raises(IndexError):
        found[200]
