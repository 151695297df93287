"""What the stage says of the data, on the display and in the log."""

from pathlib import Path

from graft.data.columns import StorageSpec
from graft.data.dataset import Dataset, Quarantined
from graft.data.overview import Ignored
from graft.pipeline.stages.ingest import describe_dataset, remarks_of


def test_what_was_left_out_is_told_with_its_reasons() -> None:
    storage = StorageSpec("image", (), {}, "")
    counts, gone = {"train": 9, "test": 3}, (Quarantined("a.png", "is empty"),)
    dataset = Dataset(Path("x"), ("cat", "dog"), "ab", counts, gone, storage, "x", "classification")
    ignored = (Ignored("system folder", 8, ("cat/@eaDir/0.png/T.jpg",)), Ignored("suffix .txt", 1, ("notes.txt",)))
    assert describe_dataset(dataset, ignored) == (
        "9 train, 3 test images, classification of 2 (cat, dog); 1 unreadable left out: a.png; "
        "left out by name (system folder: 8, suffix .txt: 1)"
    )


def test_what_was_assumed_to_read_samples_is_told_with_their_number() -> None:
    storage, counts = StorageSpec("image", (), {}, ""), {"train": 9, "test": 3}
    remarks = {"hold values of 12 bits in 16 and are read as such (white is 4095)": 7}
    dataset = Dataset(Path("x"), ("cat", "dog"), "ab", counts, (), storage, "x", remarks=remarks)
    assert remarks_of(dataset) == ("7 of 12 images hold values of 12 bits in 16 and are read as such (white is 4095)",)
