import pytest

from graft.core.errors import SpecError
from graft.data.columns import ColumnSpec, StorageSpec
from graft.data.streaming.placement import place
from graft.spec.modalities.image import DigitsData

IMAGES = StorageSpec("image", (ColumnSpec("pixels", "uint8", (10, 10, 3)),))
TEXTS = StorageSpec("text", (ColumnSpec("tokens", "int32", None),))


@pytest.mark.parametrize(
    ("settings", "free", "is_there", "is_streamed", "reason"),
    [
        ({}, 10_000_000, False, False, "within half of the 10 MB that are free"),
        ({}, 500_000, False, True, "more than half of the 500 kB that are free allows (250 kB)"),
        ({}, 500_000, True, False, "from an earlier run"),
        ({"disk_gb": 0.0001}, 10**12, False, True, "more than data.disk_gb allows (100 kB)"),
        ({"disk_gb": 1}, 0, False, False, "within data.disk_gb"),
        ({"store": "stream"}, 10**12, True, True, "data.store says so"),
        ({"store": "disk"}, 0, False, False, "data.store says so"),
    ],
)
def test_what_does_not_fit_is_streamed(settings, free, is_there, is_streamed, reason):
    found = place(DigitsData(**settings), IMAGES, 1000, free, is_there)
    assert found.is_streamed is is_streamed
    assert reason in found.reason
    assert "1,000 samples of 300 bytes are 300 kB decoded" in found.reason


def test_samples_of_any_length_are_stored():
    assert not place(DigitsData(), TEXTS, 1000, 0).is_streamed
    with pytest.raises(SpecError, match="only samples of one shape are streamed"):
        place(DigitsData(store="stream"), TEXTS, 1000, 10**9)
