"""What the stage says of the data, on the display and in the log."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from graft.core.errors import DataError
from graft.data.columns import StorageSpec
from graft.data.dataset import Dataset, Quarantined
from graft.data.examination.finding import Finding
from graft.data.overview import Ignored
from graft.pipeline.resolve import resolve_job
from graft.pipeline.stages.ingest import (
    describe_dataset,
    findings_told,
    ingestion_of,
    placed,
    remarks_of,
    require_unchanged,
)
from graft.spec.load import parse_job


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


def test_findings_are_told_but_for_those_that_are_named_already() -> None:
    found = (
        Finding("unreadable", "error", 2, ("a.png",), "drop"),
        Finding("duplicate", "warning", 3, ("b.png",), "keep"),
        Finding("outlier", "info", 9, ("c.png",), "keep"),
    )
    assert findings_told(found) == ("findings: 3 duplicate (keep)",)
    assert findings_told(found[:1]) == ()


def test_a_source_that_has_changed_cannot_be_streamed(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("cat", "dog"):
        (photos / name).mkdir(parents=True)
        for place in range(10):
            Image.new("RGB", (8, 8), (place, 0, 0)).save(photos / name / f"{place}.png")
    job = parse_job(
        {"version": 1, "name": "a", "data": {"kind": "image_folder", "path": str(photos), "store": "stream"}}
    )
    job = resolve_job(job).job
    work, why = placed(ingestion_of(job), job, tmp_path / "datasets")
    assert work.plan.is_streamed
    assert "data.store says so" in why
    require_unchanged(work, job)
    shutil.copy(photos / "cat" / "0.png", photos / "cat" / "new.png")
    with pytest.raises(DataError, match="has grown or changed since it was listed"):
        require_unchanged(work, job)
