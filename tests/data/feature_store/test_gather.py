import mmap

import numpy as np
import pytest

from graft.data.feature_store import gather as module
from graft.data.feature_store.gather import Gather

SHAPE = (3, 5)
ROWS = np.arange(25 * 15, dtype=np.float32).reshape(25, *SHAPE)


@pytest.fixture(params=["memory", "maps", "shard by shard"])
def gather(request, tmp_path, monkeypatch):
    if request.param == "shard by shard":
        monkeypatch.setattr(Gather, "_one_array", lambda self: None)
    pieces = [ROWS[start : start + 10].copy() for start in (0, 10, 20)]
    if request.param == "maps":
        for index, piece in enumerate(pieces):
            piece.tofile(tmp_path / str(index))
        pieces = [
            np.memmap(tmp_path / str(index), np.float32, "r", shape=piece.shape) for index, piece in enumerate(pieces)
        ]
    return Gather(pieces, 10, SHAPE)


@pytest.mark.parametrize("rows", [[0], [24], [0, 9, 10, 19, 20, 24], [24, 0, 12, 12, 3], [11, 13, 12]])
def test_rows_come_in_the_order_asked_for(gather, rows):
    found = gather(np.array(rows))
    np.testing.assert_array_equal(found, ROWS[rows])
    assert found.flags.owndata or found.base is not None
    found[:] = 0
    np.testing.assert_array_equal(gather(np.array(rows)), ROWS[rows], "the caller's copy is not ours")


def test_every_row_of_many(gather):
    rows = np.random.default_rng(0).integers(0, 25, 1000)
    np.testing.assert_array_equal(gather(rows), ROWS[rows])


def test_one_shard_needs_no_view():
    gather = Gather([ROWS], 100, SHAPE)
    np.testing.assert_array_equal(gather(np.array([3, 1])), ROWS[[3, 1]])


def test_distant_memory_is_reached_or_gone_round(monkeypatch):
    """Maps with a large hole between them, and one at an address that is no multiple of a number's size."""
    hole = mmap.mmap(-1, 1 << 30)
    far = [np.frombuffer(hole, np.float32, 150, offset).reshape(10, *SHAPE) for offset in (0, (1 << 30) - 600)]
    hole[:600], hole[-600:] = ROWS[:10].tobytes(), ROWS[10:20].tobytes()
    rows = np.array([0, 19, 10, 9])
    np.testing.assert_array_equal(Gather(far, 10, SHAPE)(rows), ROWS[rows])
    odd = [ROWS[:10].copy(), np.frombuffer(bytearray(b"x" + ROWS[10:20].tobytes()), np.float32, 150, 1)]
    apart = Gather([odd[0], odd[1].reshape(10, *SHAPE)], 10, SHAPE)
    np.testing.assert_array_equal(apart(rows), ROWS[rows])


def test_a_span_that_numpy_cannot_describe_is_gone_round(monkeypatch):
    monkeypatch.setattr(module.np, "iinfo", lambda _: type("Tiny", (), {"max": 100}))
    pieces = [ROWS[:10].copy(), ROWS[10:20].copy()]
    np.testing.assert_array_equal(Gather(pieces, 10, SHAPE)(np.array([11, 2])), ROWS[[11, 2]])
