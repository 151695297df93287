"""What the stage says of the data, on the display and in the log."""

from pathlib import Path

from graft.data.columns import StorageSpec
from graft.data.dataset import Dataset, Quarantined
from graft.data.overview import Ignored
from graft.pipeline.stages.ingest import describe_dataset


def test_what_was_left_out_is_told_with_its_reasons() -> None:
    storage = StorageSpec("image", (), {}, "")
    counts, gone = {"train": 9, "test": 3}, (Quarantined("a.png", "is empty"),)
    dataset = Dataset(Path("x"), ("cat", "dog"), "ab", counts, gone, storage, "x", "classification")
    ignored = (Ignored("system folder", 8, ("cat/@eaDir/0.png/T.jpg",)), Ignored("suffix .txt", 1, ("notes.txt",)))
    assert describe_dataset(dataset, ignored) == (
        "9 train, 3 test images, classification of 2 (cat, dog); 1 unreadable left out: a.png; "
        "left out by name (system folder: 8, suffix .txt: 1)"
    )
