import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from graft.core.errors import ArtifactError
from graft.data.dataset import IMAGES, LABELS, MANIFEST, ROWS, SPLITS, Quarantined, Split, open_dataset
from graft.data.square import StoredForm
from graft.data.store import ImageWriter, Origin, Rows, cross_split_duplicates, fingerprint, write_rows

ORIGIN = Origin("images in somewhere", ("cat", "dog"), StoredForm(4, 3), (Quarantined("cat/x.png", "is empty"),), 2)
ROWS_OF_SIX = Rows(
    ids=tuple(f"{index}.png" for index in range(6)),
    labels=np.array([0, 1, 0, 1, 0, 1]),
    splits=np.array([0, 0, 1, 1, 2, 0], dtype=np.uint8),
    digests=tuple("abcdef"),
)


@pytest.fixture
def images(noise) -> np.ndarray:
    return noise(6, 4, 4, 3)


@pytest.fixture
def directory(tmp_path: Path, images) -> Path:
    with ImageWriter(tmp_path / IMAGES, ORIGIN.stored) as writer:
        writer.append(images[:4])
        writer.append(images[4:])
    write_rows(tmp_path, ROWS_OF_SIX, ORIGIN)
    return tmp_path


def test_what_was_written_is_opened(directory, images):
    dataset = open_dataset(directory, verify=True)
    assert dataset.classes == ("cat", "dog")
    assert dataset.counts == {"train": 3, "validation": 2, "test": 1}
    assert dataset.quarantine == ORIGIN.quarantine
    assert dataset.stored == ORIGIN.stored
    assert dataset.ids == ROWS_OF_SIX.ids
    np.testing.assert_array_equal(dataset.images, images)
    np.testing.assert_array_equal(dataset.labels, ROWS_OF_SIX.labels)
    np.testing.assert_array_equal(dataset.splits, ROWS_OF_SIX.splits)


def test_rows_of_a_split(directory):
    dataset = open_dataset(directory)
    assert dataset.rows(Split.TRAIN).tolist() == [0, 1, 5]
    assert dataset.arrays().rows(Split.TRAIN, Split.VALIDATION).tolist() == [0, 1, 2, 3, 5]


def test_the_maps_are_read_only_and_the_arrays_are_plain(directory):
    dataset = open_dataset(directory)
    with pytest.raises(ValueError, match="read-only"):
        dataset.images[0] = 0
    arrays = dataset.arrays()
    assert type(arrays.images) is np.ndarray
    assert arrays.images.flags.owndata
    assert (arrays.images.dtype, arrays.labels.dtype, arrays.splits.dtype) == (np.uint8, np.int64, np.uint8)


def test_a_dataset_travels_without_its_pixels(directory):
    dataset = open_dataset(directory)
    assert dataset.images.shape == (6, 4, 4, 3)
    content = pickle.dumps(dataset)
    assert len(content) < 2000
    assert pickle.loads(content) == dataset


def test_the_rows_are_a_table(directory):
    table = pq.read_table(directory / ROWS).to_pydict()
    assert table["id"] == list(ROWS_OF_SIX.ids)
    assert table["label"] == ROWS_OF_SIX.labels.tolist()
    assert table["split"] == ROWS_OF_SIX.splits.tolist()
    assert table["sha256"] == list(ROWS_OF_SIX.digests)


def test_the_manifest_counts_and_names(directory):
    manifest = json.loads((directory / MANIFEST).read_text())
    assert manifest["format"] == 1
    assert manifest["class_counts"] == {"cat": [1, 1, 1], "dog": [2, 1, 0]}
    assert manifest["ignored_files"] == 2
    assert manifest["quarantine"] == [{"path": "cat/x.png", "reason": "is empty"}]


def test_a_writer_of_no_images_writes_an_empty_array(tmp_path):
    with ImageWriter(tmp_path / IMAGES, StoredForm(4, 1)):
        pass
    assert np.load(tmp_path / IMAGES).shape == (0, 4, 4, 1)


def test_a_writer_refuses_other_shapes(tmp_path):
    with ImageWriter(tmp_path / IMAGES, StoredForm(4, 1)) as writer, pytest.raises(ValueError, match="must be uint8"):
        writer.append(np.zeros((2, 4, 4, 3), dtype=np.uint8))


def test_the_header_has_room_for_many_rows(tmp_path):
    with ImageWriter(tmp_path / IMAGES, StoredForm(1, 1)) as writer:
        for _ in range(3):
            writer.append(np.ones((50_000, 1, 1, 1), dtype=np.uint8))
    loaded = np.load(tmp_path / IMAGES)
    assert loaded.shape == (150_000, 1, 1, 1)
    assert loaded.min() == 1


def test_the_fingerprint_is_of_content_not_of_place_or_order():
    order = [3, 1, 0, 2, 5, 4]
    moved = Rows(
        ids=tuple("uvwxyz"),
        labels=ROWS_OF_SIX.labels[order],
        splits=ROWS_OF_SIX.splits[order],
        digests=tuple(ROWS_OF_SIX.digests[index] for index in order),
    )
    elsewhere = replace(ORIGIN, source="elsewhere", quarantine=(), ignored=0)
    assert fingerprint(moved, elsewhere) == fingerprint(ROWS_OF_SIX, ORIGIN)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": np.array([0, 1, 0, 1, 0, 0])},
        {"splits": np.array([0, 0, 1, 1, 2, 1], dtype=np.uint8)},
        {"digests": tuple("abcdeg")},
    ],
)
def test_the_fingerprint_follows_content_labels_and_splits(change):
    assert fingerprint(replace(ROWS_OF_SIX, **change), ORIGIN) != fingerprint(ROWS_OF_SIX, ORIGIN)


def test_the_fingerprint_follows_the_stored_form():
    forms = [StoredForm(4, 3), StoredForm(5, 3), StoredForm(4, 1), StoredForm(4, 3, "bilinear")]
    assert len({fingerprint(ROWS_OF_SIX, replace(ORIGIN, stored=form)) for form in forms}) == 4


def test_duplicates_count_only_across_splits():
    assert cross_split_duplicates(ROWS_OF_SIX) == 0
    assert cross_split_duplicates(replace(ROWS_OF_SIX, digests=("a", "a", "b", "b", "c", "d"))) == 0
    assert cross_split_duplicates(replace(ROWS_OF_SIX, digests=("a", "b", "a", "d", "a", "b"))) == 1


@pytest.mark.parametrize("name", [IMAGES, LABELS, SPLITS, ROWS])
def test_a_missing_or_shortened_file_is_named(directory, name):
    os.truncate(directory / name, (directory / name).stat().st_size - 1)
    with pytest.raises(ArtifactError, match=rf"is damaged \({name} has .* delete it and run again"):
        open_dataset(directory)
    (directory / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name} is missing"):
        open_dataset(directory)


def test_a_changed_byte_is_found_when_asked(directory):
    content = bytearray((directory / IMAGES).read_bytes())
    content[-1] ^= 1
    (directory / IMAGES).write_bytes(content)
    open_dataset(directory)
    with pytest.raises(ArtifactError, match="has changed since it was written"):
        open_dataset(directory, verify=True)


def test_a_damaged_header_is_found(directory):
    content = bytearray((directory / LABELS).read_bytes())
    content[:6] = bytes(6)
    (directory / LABELS).write_bytes(content)
    with pytest.raises(ArtifactError, match="is damaged"):
        open_dataset(directory)


def test_arrays_that_do_not_fit_the_manifest_are_found(directory):
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["counts"]["train"] += 1
    (directory / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"images.npy holds uint8"):
        open_dataset(directory)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "is not the manifest of a dataset"),
        ('{"format": 2}', "has format 2, but this graft reads up to 1; update graft"),
        ('{"format": 1}', "is damaged"),
    ],
)
def test_a_strange_manifest_is_refused(directory, text, message):
    (directory / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match=message):
        open_dataset(directory)


def test_a_manifest_of_a_newer_writer_with_more_keys_is_read(directory):
    manifest = json.loads((directory / MANIFEST).read_text())
    (directory / MANIFEST).write_text(json.dumps({**manifest, "later": True}))
    assert open_dataset(directory).classes == ("cat", "dog")


def test_another_directory_is_no_dataset(tmp_path):
    with pytest.raises(ArtifactError, match="is not a dataset of graft"):
        open_dataset(tmp_path)
