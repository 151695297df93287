import hashlib
import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from graft.core.errors import ArtifactError, ResourceError
from graft.data.columns import ColumnSpec, Ragged, StorageSpec
from graft.data.dataset import MANIFEST, ROWS, SPLITS, TARGETS, Dataset, DatasetArrays, Quarantined, Split, open_dataset
from graft.data.store import (
    ColumnWriter,
    Origin,
    Rows,
    column_writers,
    cross_split_duplicates,
    fingerprint,
    write_rows,
)
from graft.modalities.image.info import PIXELS
from graft.modalities.image.storage import StoredImages

IMAGES = f"{PIXELS}.npy"
ORIGIN = Origin(
    source="images in somewhere",
    names=("cat", "dog"),
    storage=StoredImages(4, 3).spec(),
    quarantine=(Quarantined("cat/x.png", "is empty"),),
    task="classification",
    facts={"num_outputs": 2},
    counts={"train": {"cat": 1, "dog": 2}},
)
ROWS_OF_SIX = Rows(
    ids=tuple(f"{index}.png" for index in range(6)),
    targets=np.array([0, 1, 0, 1, 0, 1]),
    splits=np.array([0, 0, 1, 1, 2, 0], dtype=np.uint8),
    digests=tuple("abcdef"),
)


@pytest.fixture
def images(noise) -> np.ndarray:
    return noise(6, 4, 4, 3)


@pytest.fixture
def directory(tmp_path: Path, images) -> Path:
    with column_writers(tmp_path, ORIGIN.storage) as writers:
        writers[PIXELS].append(images[:4])
        writers[PIXELS].append(images[4:])
    write_rows(tmp_path, ROWS_OF_SIX, ORIGIN)
    return tmp_path


def test_what_was_written_is_opened(directory, images):
    dataset = open_dataset(directory, verify=True)
    assert dataset.names == ("cat", "dog")
    assert dataset.counts == {"train": 3, "validation": 2, "test": 1}
    assert dataset.quarantine == ORIGIN.quarantine
    assert dataset.storage == ORIGIN.storage
    assert (dataset.task, dataset.facts) == ("classification", {"num_outputs": 2})
    assert dataset.ids == ROWS_OF_SIX.ids
    np.testing.assert_array_equal(dataset.columns[PIXELS], images)
    np.testing.assert_array_equal(dataset.targets, ROWS_OF_SIX.targets)
    np.testing.assert_array_equal(dataset.splits, ROWS_OF_SIX.splits)


def test_rows_of_a_split(directory):
    dataset = open_dataset(directory)
    assert dataset.rows(Split.TRAIN).tolist() == [0, 1, 5]
    assert dataset.arrays().rows(Split.TRAIN, Split.VALIDATION).tolist() == [0, 1, 2, 3, 5]


def test_the_maps_are_read_only(directory):
    dataset = open_dataset(directory)
    with pytest.raises(ValueError, match="read-only"):
        dataset.columns[PIXELS][0] = 0
    arrays = dataset.arrays()
    images = arrays.columns[PIXELS]
    assert isinstance(images, np.memmap)
    assert (images.dtype, arrays.targets.dtype, arrays.splits.dtype) == (np.uint8, np.int64, np.uint8)


def test_arrays_travel_as_the_name_of_their_directory(directory):
    arrays = open_dataset(directory).arrays()
    content = pickle.dumps(arrays)
    assert len(content) < 500
    again = pickle.loads(content)
    assert isinstance(again.columns[PIXELS], np.memmap)
    assert isinstance(again.targets, np.memmap)
    np.testing.assert_array_equal(again.columns[PIXELS], arrays.columns[PIXELS])
    np.testing.assert_array_equal(again.targets, arrays.targets)
    assert (again.names, again.facts, again.directory) == (arrays.names, arrays.facts, directory)


def test_a_node_that_does_not_see_the_directory_says_so(directory):
    content = pickle.dumps(open_dataset(directory).arrays())
    shutil.rmtree(directory)
    with pytest.raises(ResourceError, match="must see graft's home"):
        pickle.loads(content)


def test_arrays_in_memory_travel_with_what_they_hold():
    arrays = DatasetArrays({PIXELS: np.zeros((2, 1))}, np.arange(2), np.zeros(2, np.uint8), ("a", "b"), {"x": 1})
    again = pickle.loads(pickle.dumps(arrays))
    assert (again.targets.tolist(), again.names, again.facts) == ([0, 1], ("a", "b"), {"x": 1})


def test_a_dataset_travels_without_its_pixels(directory):
    dataset = open_dataset(directory)
    assert dataset.columns[PIXELS].shape == (6, 4, 4, 3)
    content = pickle.dumps(dataset)
    assert len(content) < 2000
    assert pickle.loads(content) == dataset


def test_the_rows_are_a_table(directory):
    table = pq.read_table(directory / ROWS).to_pydict()
    assert table["id"] == list(ROWS_OF_SIX.ids)
    assert table.keys() == {"id", "split", "sha256"}
    assert table["split"] == ROWS_OF_SIX.splits.tolist()
    assert table["sha256"] == list(ROWS_OF_SIX.digests)


def test_the_manifest_counts_and_names(directory):
    manifest = json.loads((directory / MANIFEST).read_text())
    assert manifest["format"] == 2
    assert manifest["targets"] == {
        "task": "classification",
        "names": ["cat", "dog"],
        "facts": {"num_outputs": 2},
        "counts": {"train": {"cat": 1, "dog": 2}},
    }
    assert manifest["counts"] == {"train": 3, "validation": 2, "test": 1}
    assert manifest["quarantine"] == [
        {"path": "cat/x.png", "reason": "is empty", "passing": False, "kind": "unreadable"}
    ]


def test_a_writer_of_no_images_writes_an_empty_array(tmp_path):
    with column_writers(tmp_path, StoredImages(4, 1).spec()):
        pass
    assert np.load(tmp_path / IMAGES).shape == (0, 4, 4, 1)


def test_a_writer_refuses_other_shapes(tmp_path):
    (column,) = StoredImages(4, 1).spec().columns
    with ColumnWriter(tmp_path, column) as writer, pytest.raises(ValueError, match="must be uint8"):
        writer.append(np.zeros((2, 4, 4, 3), dtype=np.uint8))


def test_the_header_has_room_for_many_rows(tmp_path):
    (column,) = StoredImages(1, 1).spec().columns
    with ColumnWriter(tmp_path, column) as writer:
        for _ in range(3):
            writer.append(np.ones((50_000, 1, 1, 1), dtype=np.uint8))
    loaded = np.load(tmp_path / IMAGES)
    assert loaded.shape == (150_000, 1, 1, 1)
    assert loaded.min() == 1


def test_the_fingerprint_is_of_content_not_of_place_or_order():
    order = [3, 1, 0, 2, 5, 4]
    moved = Rows(
        ids=tuple("uvwxyz"),
        targets=ROWS_OF_SIX.targets[order],
        splits=ROWS_OF_SIX.splits[order],
        digests=tuple(ROWS_OF_SIX.digests[index] for index in order),
    )
    elsewhere = replace(ORIGIN, source="elsewhere", quarantine=())
    assert fingerprint(moved, elsewhere) == fingerprint(ROWS_OF_SIX, ORIGIN)


@pytest.mark.parametrize(
    "change",
    [
        {"targets": np.array([0, 1, 0, 1, 0, 0])},
        {"splits": np.array([0, 0, 1, 1, 2, 1], dtype=np.uint8)},
        {"digests": tuple("abcdeg")},
    ],
)
def test_the_fingerprint_follows_content_labels_and_splits(change):
    assert fingerprint(replace(ROWS_OF_SIX, **change), ORIGIN) != fingerprint(ROWS_OF_SIX, ORIGIN)


def test_the_fingerprint_follows_the_stored_form():
    forms = [StoredImages(4, 3), StoredImages(5, 3), StoredImages(4, 1), StoredImages(4, 3, "bilinear")]
    assert len({fingerprint(ROWS_OF_SIX, replace(ORIGIN, storage=form.spec())) for form in forms}) == 4


def test_duplicates_count_only_across_splits():
    assert cross_split_duplicates(ROWS_OF_SIX) == 0
    assert cross_split_duplicates(replace(ROWS_OF_SIX, digests=("a", "a", "b", "b", "c", "d"))) == 0
    assert cross_split_duplicates(replace(ROWS_OF_SIX, digests=("a", "b", "a", "d", "a", "b"))) == 1


@pytest.mark.parametrize("name", [IMAGES, TARGETS, SPLITS, ROWS])
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
    content = bytearray((directory / TARGETS).read_bytes())
    content[:6] = bytes(6)
    (directory / TARGETS).write_bytes(content)
    with pytest.raises(ArtifactError, match="is damaged"):
        open_dataset(directory)


def test_arrays_that_do_not_fit_the_manifest_are_found(directory):
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["counts"]["train"] += 1
    (directory / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"pixels holds uint8 .* in 6 rows instead of .* in 7 rows"):
        open_dataset(directory)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "is not the manifest of a dataset"),
        ('{"format": 3}', "has format 3, but this graft reads up to 2; update graft"),
        ('{"format": 2}', "is damaged"),
        ('{"format": 1}', "has format 1, which is not read any more; run ingest again"),
    ],
)
def test_a_strange_manifest_is_refused(directory, text, message):
    (directory / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match=message):
        open_dataset(directory)


def test_a_manifest_of_a_newer_writer_with_more_keys_is_read(directory):
    manifest = json.loads((directory / MANIFEST).read_text())
    (directory / MANIFEST).write_text(json.dumps({**manifest, "later": True}))
    assert open_dataset(directory).names == ("cat", "dog")


def test_another_directory_is_no_dataset(tmp_path):
    with pytest.raises(ArtifactError, match="is not a dataset of graft"):
        open_dataset(tmp_path)


def test_the_fingerprint_of_images_is_that_of_the_first_release():
    # Of the same rows, as the first release wrote it: features and records of then are found again.
    assert fingerprint(ROWS_OF_SIX, ORIGIN) == "094c934b3dd457e19422cead75471d85707a9159b0a67a3d2e2e1facf5f6cd0a"


TEXTS = StorageSpec(
    "text",
    (ColumnSpec("tokens", "int32", None), ColumnSpec("cut", "bool"), ColumnSpec("offsets", "float32", (2,))),
    {"column": "tokens"},
    "texts",
)
TOKENS = [np.arange(3), np.arange(0), np.arange(5) + 10, np.arange(0), np.arange(1) + 7, np.arange(0)]


@pytest.fixture
def texts(tmp_path: Path) -> Dataset:
    """Six rows, three of them empty: the second, the fourth and the last."""
    with column_writers(tmp_path, TEXTS) as writers:
        for part in (slice(0, 2), slice(2, 2), slice(2, 6)):
            writers["tokens"].append(TOKENS[part])
            writers["cut"].append(np.arange(6)[part] % 2 == 0)
            writers["offsets"].append(np.arange(12, dtype=np.float32).reshape(6, 2)[part])
    write_rows(tmp_path, ROWS_OF_SIX, replace(ORIGIN, storage=TEXTS))
    return open_dataset(tmp_path, verify=True)


def test_rows_of_any_length_come_back_in_order(texts):
    columns = texts.arrays().columns
    tokens = columns["tokens"]
    assert isinstance(tokens, Ragged)
    assert (len(tokens), tokens.values.dtype) == (6, np.int32)
    assert tokens.lengths.tolist() == [3, 0, 5, 0, 1, 0]
    for row, expected in enumerate(TOKENS):
        np.testing.assert_array_equal(tokens.row(row), expected)
    assert [one.tolist() for one in tokens.take(np.array([4, 1, 0, 4]))] == [[7], [], [0, 1, 2], [7]]
    assert columns["cut"].tolist() == [True, False] * 3
    assert columns["offsets"].tolist() == [[2.0 * row, 2.0 * row + 1] for row in range(6)]


def test_rows_of_any_length_stay_on_the_disk_until_they_are_wanted(texts):
    tokens = texts.arrays().columns["tokens"]
    assert isinstance(tokens.values, np.memmap)
    assert isinstance(tokens.offsets, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        texts.columns["tokens"].row(0)[0] = 1


def test_a_dataset_of_texts_says_how_they_are_kept(texts):
    assert texts.storage == TEXTS
    assert {path.name for path in texts.directory.iterdir()} == {
        "tokens.npy", "tokens.offsets.npy", "cut.npy", "offsets.npy", TARGETS, SPLITS, ROWS, MANIFEST,
    }  # fmt: skip
    assert pickle.loads(pickle.dumps(texts)) == texts


@pytest.mark.parametrize("count", [0, 4])
def test_rows_that_are_all_empty_are_opened(tmp_path, count):
    with column_writers(tmp_path, StorageSpec("text", (ColumnSpec("tokens", "int32", None),))) as writers:
        writers["tokens"].append([np.empty(0, np.int32)] * count)
    splits = np.zeros(count, np.uint8)
    rows = Rows(("x",) * count, np.zeros(count, np.int64), splits, ("d",) * count)
    origin = Origin("texts", ("a", "b"), StorageSpec("text", (ColumnSpec("tokens", "int32", None),)))
    write_rows(tmp_path, rows, origin)
    tokens = open_dataset(tmp_path, verify=True).arrays().columns["tokens"]
    assert tokens.lengths.tolist() == [0] * count


@pytest.mark.parametrize("name", ["tokens.npy", "tokens.offsets.npy"])
def test_a_shortened_file_of_texts_is_named(texts, name):
    os.truncate(texts.directory / name, (texts.directory / name).stat().st_size - 4)
    with pytest.raises(ArtifactError, match=rf"{name} has .* bytes instead of"):
        open_dataset(texts.directory)


def test_offsets_of_another_number_of_rows_are_found(texts):
    np.save(texts.directory / "tokens.offsets.npy", np.array([0, 3, 9]))
    manifest = json.loads((texts.directory / MANIFEST).read_text())
    manifest["files"]["tokens.offsets.npy"]["bytes"] = (texts.directory / "tokens.offsets.npy").stat().st_size
    (texts.directory / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"tokens holds int32 \(9,\) in 2 rows instead of .* in 6 rows"):
        open_dataset(texts.directory)


@pytest.mark.parametrize(
    "targets",
    [np.arange(12, dtype=np.float64).reshape(6, 2), np.arange(18, dtype=np.uint8).reshape(6, 3) % 2],
    ids=["regression", "multilabel"],
)
def test_targets_of_every_task_come_back(tmp_path, images, targets):
    with column_writers(tmp_path, ORIGIN.storage) as writers:
        writers[PIXELS].append(images)
    write_rows(tmp_path, replace(ROWS_OF_SIX, targets=targets), ORIGIN)
    dataset = open_dataset(tmp_path, verify=True)
    np.testing.assert_array_equal(dataset.targets, targets)
    assert dataset.arrays().targets.dtype == targets.dtype
    other = replace(ROWS_OF_SIX, targets=targets * 2 + 1)
    assert fingerprint(other, ORIGIN) != dataset.fingerprint


def test_rows_that_belong_together_have_one_number(directory, tmp_path):
    assert open_dataset(directory).arrays().kin is None
    copied = replace(ROWS_OF_SIX, copies=np.array([-1, 4, -1, 4, 0, 0]))
    grouped = replace(copied, groups=("ann", None, "bob", "ann", None, "bob"))
    for rows, together in ((copied, {(1, 3), (4, 5)}), (grouped, {(0, 3), (2, 5)})):
        write_rows(directory, rows, ORIGIN)
        arrays = pickle.loads(pickle.dumps(open_dataset(directory).arrays()))
        again = pickle.loads(pickle.dumps(replace(arrays, directory=None)))
        for kin in (arrays.kin, again.kin):
            assert {(one, other) for one in range(6) for other in range(one) if kin[one] == kin[other]} == {
                (last, first) for first, last in together
            }


def test_weights_and_groups_are_kept_and_weights_are_in_the_fingerprint(directory, tmp_path):
    assert (open_dataset(directory).weights, open_dataset(directory).groups) == (None, None)
    weighted = replace(ROWS_OF_SIX, weights=np.arange(6.0), groups=("ann", None, "bob", "ann", None, "bob"))
    write_rows(directory, weighted, ORIGIN)
    dataset = open_dataset(directory, verify=True)
    assert dataset.weights.tolist() == list(range(6))
    assert dataset.groups == ["ann", None, "bob", "ann", None, "bob"]
    assert pickle.loads(pickle.dumps(dataset.arrays())).weights.tolist() == list(range(6))
    others = replace(weighted, weights=np.ones(6)), replace(weighted, groups=None), ROWS_OF_SIX
    heavier, ungrouped, plain = (fingerprint(rows, ORIGIN) for rows in others)
    assert ungrouped == dataset.fingerprint
    assert len({heavier, plain, dataset.fingerprint}) == 3
    (directory / "weights.npy").unlink()
    with pytest.raises(ArtifactError, match=r"weights.npy is missing"):
        open_dataset(directory)


@pytest.mark.parametrize("weights", [None, np.array([0.5, 1.0, 0.5, 2.0, 1.0, 1e-9])])
def test_the_fingerprint_is_that_of_sorted_lines(weights):
    """As it was written when all lines were sorted at once: the same data keep theirs."""
    digests = tuple(letter * 64 for letter in "babcab")
    rows = Rows(ROWS_OF_SIX.ids, np.array([10, 9, 1, 0, 9, 10]), ROWS_OF_SIX.splits, digests, weights=weights)
    known = zip(digests, rows.targets.tolist(), rows.splits.tolist(), strict=True)
    lines = [f"{content} {target} {split}" for content, target, split in known]
    if weights is not None:
        lines = [f"{line} {weight!r}" for line, weight in zip(lines, weights.tolist(), strict=True)]
    head = f"(1, {ORIGIN.storage.identity}, {ORIGIN.names!r})"
    expected = hashlib.sha256((head + "".join(sorted(f"{line}\n" for line in lines))).encode()).hexdigest()
    assert fingerprint(rows, ORIGIN) == expected
