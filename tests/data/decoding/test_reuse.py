"""Appended samples are decoded, and no other; what comes out is what decoding all of them gives."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.data import ingest as module
from graft.data.columns import ColumnSpec, Ragged, StorageSpec
from graft.data.dataset import Dataset
from graft.data.decoding import reuse
from graft.data.decoding.blocks import local_blocks
from graft.data.feature_store.key import data_fingerprint
from graft.data.ingest import ingest
from graft.data.listing import DecodedBlock, Decoder, list_samples
from graft.data.plan import Ingestion, plan_ingest
from graft.modalities.image.storage import ImageDecoder, StoredImages
from graft.spec.modalities.base import DataSpec
from graft.spec.modalities.image import ImageFolderData
from graft.spec.modalities.table import TableData
from graft.spec.tasks.classification import Classification
from graft.tasks.registry import build_task

FORM = StoredImages(8, 3)


@dataclass
class Counting:
    """A decoder that counts what it decodes."""

    decoder: Decoder
    seen: list[bytes] = field(default_factory=list)

    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        self.seen += sources
        return self.decoder(sources)


class Letters:
    """The bytes of texts."""

    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        columns = {"letters": [np.frombuffer(source, np.uint8) for source in sources]}
        return DecodedBlock(columns, [hashlib.sha256(source).hexdigest() for source in sources], [""] * len(sources))


@pytest.fixture(autouse=True)
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "decoded_blocks", local_blocks)


@pytest.fixture
def photos(tmp_path: Path, image_folder: Any) -> ImageFolderData:
    return ImageFolderData(path=image_folder(tmp_path / "photos", {"cat": 12, "dog": 10}), max_unreadable=0.2)


def ingested(spec: DataSpec, cache: Path, form: StoredImages = FORM) -> tuple[Dataset, int]:
    """The dataset, and how many samples were decoded for it."""
    task = build_task(Classification())
    listing = list_samples(spec)
    plan = plan_ingest(listing, spec, task, form.spec())
    decoder = Counting(ImageDecoder(listing.reader, form))
    return ingest(Ingestion(plan, decoder, task, spec.max_unreadable), cache), len(decoder.seen)


def assert_alike(found: Dataset, expected: Dataset) -> None:
    assert (found.fingerprint, found.ids, found.remarks, found.counts) == (
        *(expected.fingerprint, expected.ids, expected.remarks, expected.counts),
    )
    for name, column in expected.columns.items():
        other = found.columns[name]
        if isinstance(column, Ragged) and isinstance(other, Ragged):
            np.testing.assert_array_equal(other.offsets, column.offsets)
            np.testing.assert_array_equal(other.values, column.values)
        else:
            np.testing.assert_array_equal(other, column)
    assert found.signs.keys() == expected.signs.keys()
    for name, values in expected.signs.items():
        np.testing.assert_array_equal(found.signs[name], values)
        assert found.signs[name].dtype == values.dtype


def test_only_what_was_appended_or_changed_is_decoded(
    photos: ImageFolderData, tmp_path: Path, encode: Any, noise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reuse, "MAX_BLOCK_ROWS", 4)
    assert ingested(photos, tmp_path / "cache")[1] == 22
    assert {values.dtype.kind for values in ingested(photos, tmp_path / "cache")[0].signs.values()} >= {"u"}
    for name in ("cat/0_first.png", "cat/007_between.png", "dog/zebra.png", "dog/003.png"):
        (photos.path / name).write_bytes(encode(noise(30, 20, 4), "PNG"))
    (photos.path / "dog" / "005.png").unlink()
    (photos.path / "dog" / "empty.png").touch()
    found, decoded = ingested(photos, tmp_path / "cache")
    assert decoded == 5
    assert_alike(found, ingested(photos, tmp_path / "other")[0])
    assert [one.path for one in found.quarantine] == ["dog/empty.png"]
    again, decoded = ingested(photos.model_copy(update={"seed": 1}), tmp_path / "cache")
    assert decoded == 1  # what could not be read
    assert_alike(again, ingested(photos.model_copy(update={"seed": 1}), tmp_path / "other")[0])


def test_samples_that_are_kept_otherwise_are_decoded(photos: ImageFolderData, tmp_path: Path) -> None:
    ingested(photos, tmp_path / "cache")
    assert ingested(photos, tmp_path / "cache", StoredImages(9, 3))[1] == 22
    assert ingested(photos.model_copy(update={"max_pixels": 4_000_000}), tmp_path / "cache")[1] == 22
    os.utime(photos.path / "cat" / "000.png", ns=(7, 7))
    assert ingested(photos, tmp_path / "cache")[1] == 1


def test_a_damaged_dataset_is_no_source(photos: ImageFolderData, tmp_path: Path) -> None:
    dataset, _ = ingested(photos, tmp_path / "cache")
    (dataset.directory / "splits.npy").unlink()
    (photos.path / "cat" / "new.png").write_bytes((photos.path / "cat" / "001.png").read_bytes())
    assert ingested(photos, tmp_path / "cache")[1] == 23


def test_decoding_that_sees_more_begins_anew(
    photos: ImageFolderData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingested(photos, tmp_path / "cache")
    (photos.path / "cat" / "new.png").write_bytes((photos.path / "cat" / "001.png").read_bytes())
    once = Counting.__call__

    def with_a_sign(self: Counting, sources: Sequence[bytes]) -> DecodedBlock:
        block = once(self, sources)
        return replace(block, signs={**block.signs, "seen": np.arange(len(sources))})

    monkeypatch.setattr(Counting, "__call__", with_a_sign)
    found, decoded = ingested(photos, tmp_path / "cache")
    assert decoded == 1 + 23
    assert len(found.signs["seen"]) == 23


def test_rows_that_were_appended_to_a_table_of_texts(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = [f"text number {row},{'ab'[row % 2]}" for row in range(40)]
    spec = TableData(path=table, text="text", label="label")
    storage = StorageSpec("text", (ColumnSpec("letters", "uint8", None),), {}, "")
    seen = []
    for count in (30, 40):
        table.write_text("\n".join(["text,label", *rows[:count]]))
        task, listing = build_task(Classification()), list_samples(spec)
        decoder = Counting(Letters())
        plan = plan_ingest(listing, spec, task, storage)
        dataset = ingest(Ingestion(plan, decoder, task, 0.0), tmp_path / "cache")
        seen.append(len(decoder.seen))
    assert seen == [30, 10]
    column = dataset.columns["letters"]
    assert [bytes(column.row(row)).decode() for row in range(40)] == [f"text number {row}" for row in range(40)]


def test_the_same_data_at_another_path_is_the_same_data(photos: ImageFolderData, tmp_path: Path) -> None:
    here, _ = ingested(photos, tmp_path / "cache")
    shutil.copytree(photos.path, tmp_path / "moved")
    there, _ = ingested(photos.model_copy(update={"path": tmp_path / "moved"}), tmp_path / "cache")
    assert there.directory != here.directory
    assert there.fingerprint == here.fingerprint
    assert data_fingerprint(there) == data_fingerprint(here)  # so stored features are found again
