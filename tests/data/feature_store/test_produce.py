import numpy as np
import pytest

from graft.data.feature_store.produce import in_process


def test_batches_cover_the_rows_in_order():
    asked = []

    def extract(start, stop):
        asked.append((start, stop))
        return np.arange(start, stop, dtype=np.float32)

    chunks = in_process(extract, 4)(3, 12)
    assert asked == [], "nothing is computed before it is wanted"
    np.testing.assert_array_equal(np.concatenate(list(chunks)), np.arange(3, 12))
    assert asked == [(3, 7), (7, 11), (11, 12)]


def test_a_batch_has_rows():
    with pytest.raises(ValueError, match="batch_size is 0, but must be >= 1"):
        in_process(lambda start, stop: np.empty(0), 0)
