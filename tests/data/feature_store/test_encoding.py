import numpy as np
import pytest
import torch

from graft.core.errors import SpecError
from graft.data.feature_store.encoding import STORED, decode, encode

EDGES = [0.0, -0.0, 1.0, -1.5, 1e-8, 3.4e38, 65504.0, float("inf"), -float("inf"), 1 + 2**-8, 1 + 3 * 2**-8, 2**-126]


@pytest.fixture
def values():
    random = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    return np.concatenate([random * np.float32(1e3), np.array(EDGES, np.float32)]).reshape(-1, 2)


def test_bfloat16_is_torchs_bit_for_bit(values):
    wanted = torch.from_numpy(values).bfloat16()
    stored = encode(values, "bfloat16")
    np.testing.assert_array_equal(stored, wanted.view(torch.uint16).numpy())
    np.testing.assert_array_equal(decode(stored, "bfloat16"), wanted.float().numpy())


@pytest.mark.parametrize("dtype", STORED)
def test_not_a_number_stays_one(dtype):
    tricky = np.array([0x7F800001, 0x7FFFFFFF, 0xFFC00000], np.uint32).view(np.float32)
    assert np.isnan(decode(encode(tricky, dtype), dtype)).all()


def test_float16_rounds_to_nearest():
    values = np.array([1 + 2**-11 + 2**-13, 65504, -65504, 1e-9], np.float32)
    np.testing.assert_array_equal(encode(values, "float16"), np.array([1 + 2**-10, 65504, -65504, 0], np.float16))


def test_float32_is_not_copied():
    values = np.ones(3, np.float32)
    assert encode(values, "float32") is values
    assert decode(values, "float32") is values


def test_what_float16_cannot_hold_is_an_error():
    with pytest.raises(SpecError, match="a feature is 70000, but float16 ends at 65504; store as float32 or bfloat16"):
        encode(np.array([1, 70000, np.inf], np.float32), "float16")


def test_infinity_itself_is_no_overflow():
    assert np.isinf(encode(np.array([np.inf], np.float32), "float16")).all()


def test_whole_numbers_are_refused():
    with pytest.raises(ValueError, match="features are uint8, but must be floats"):
        encode(np.zeros(3, np.uint8), "float32")
