import gzip
import os
import struct

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.dataset import Split
from graft.data.split import UNASSIGNED
from graft.modalities.image.sources import idx_file
from graft.modalities.image.sources.idx import list_idx, read_idx
from graft.spec.modalities.image import DEFAULT_MAX_PIXELS, IdxData

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def test_both_halves_are_listed(idx_directory, noise):
    listing = list_idx(IdxData(path=idx_directory))
    assert len(listing) == 39
    assert listing.targets.categories == ("0", "1", "2")
    assert listing.ids[0] == "train/0"
    assert listing.ids[-1] == "t10k/8"
    assert listing.facts == {"channels": 1, "native_side": 5, "max_pixels": DEFAULT_MAX_PIXELS}
    np.testing.assert_array_equal(listing.given, [UNASSIGNED] * 30 + [Split.TEST] * 9)
    np.testing.assert_array_equal(listing.targets.values, [*np.arange(30) % 3, *np.arange(9) % 3])
    _, pixels, *_ = listing.reader(listing.sources[31], 5)
    np.testing.assert_array_equal(pixels, noise(9, 6, 5, seed=1)[1])


def test_files_need_not_be_compressed(idx_directory):
    for path in list(idx_directory.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert len(list_idx(IdxData(path=idx_directory))) == 39


def test_without_a_test_half_one_is_drawn(idx_directory):
    for path in idx_directory.glob("t10k*"):
        path.unlink()
    listing = list_idx(IdxData(path=idx_directory))
    assert len(listing) == 30
    assert np.all(listing.given == UNASSIGNED)


@pytest.mark.parametrize("name", [IMAGES, LABELS, "t10k-labels-idx1-ubyte.gz"])
def test_a_missing_file_is_named(idx_directory, name):
    (idx_directory / name).unlink()
    with pytest.raises(DataError, match=f"has no {name}"):
        list_idx(IdxData(path=idx_directory))


def test_names_of_classes_are_used(idx_directory):
    assert list_idx(IdxData(path=idx_directory, classes=["a", "b", "c"])).targets.categories == ("a", "b", "c")


def test_a_label_without_a_name_is_refused(idx_directory):
    with pytest.raises(DataError, match=r"has the label 2, but data.classes names 0 to 1"):
        list_idx(IdxData(path=idx_directory, classes=["a", "b"]))


def test_a_class_without_images_is_refused(idx_directory):
    with pytest.raises(DataError, match="no training image of the class `d`"):
        list_idx(IdxData(path=idx_directory, classes=["a", "b", "c", "d"]))


def test_labels_need_not_be_dense(idx_directory, write_idx):
    write_idx(idx_directory / LABELS, np.arange(30) % 3 * 7 + 1)
    write_idx(idx_directory / "t10k-labels-idx1-ubyte.gz", np.full(9, 15))
    listing = list_idx(IdxData(path=idx_directory))
    assert listing.targets.categories == ("1", "8", "15")
    np.testing.assert_array_equal(listing.targets.values, [*np.arange(30) % 3, *[2] * 9])


def test_a_test_label_that_was_never_trained_is_refused(idx_directory, write_idx):
    write_idx(idx_directory / "t10k-labels-idx1-ubyte.gz", np.full(9, 3))
    with pytest.raises(DataError, match="has the label 3, which no training image has"):
        list_idx(IdxData(path=idx_directory))


def test_images_and_labels_must_match(idx_directory, write_idx):
    write_idx(idx_directory / LABELS, np.zeros(29))
    with pytest.raises(DataError, match=r"has 30 images, but train-labels-idx1-ubyte.gz has 29 labels"):
        list_idx(IdxData(path=idx_directory))


def test_both_halves_must_have_one_size(idx_directory, write_idx, noise):
    write_idx(idx_directory / "t10k-images-idx3-ubyte.gz", noise(9, 7, 5))
    with pytest.raises(DataError, match="5 x 6 and 5 x 7 pixels"):
        list_idx(IdxData(path=idx_directory))


def test_images_without_pixels_are_refused(idx_directory, write_idx):
    write_idx(idx_directory / IMAGES, np.zeros((30, 0, 5)))
    with pytest.raises(DataError, match="no images of at least one pixel"):
        list_idx(IdxData(path=idx_directory))


def test_images_beyond_max_pixels_are_refused(idx_directory):
    with pytest.raises(DataError, match=r"has 30 pixels, more than data.max_pixels"):
        list_idx(IdxData(path=idx_directory, max_pixels=29))


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 3), (2**16, 2**15, 1)])
def test_a_header_that_lies_about_its_size_is_refused(tmp_path, write_idx, noise, suffix, shape):
    path = tmp_path / f"images{suffix}"
    write_idx(path, noise(2, 3, 4), shape=shape)
    with pytest.raises(DataError, match="header promises"):
        read_idx(path, 3)


def test_a_header_beyond_all_bounds_is_refused_before_reading(tmp_path, write_idx, noise):
    write_idx(tmp_path / "images", noise(2, 3, 4), shape=(2**31, 2**31, 2**31))
    with pytest.raises(DataError, match=r"may at most"):
        read_idx(tmp_path / "images", 3)


def test_a_gzip_bomb_is_read_only_as_far_as_its_header_says(tmp_path, monkeypatch):
    monkeypatch.setattr(idx_file, "_CHUNK", 1000)
    asked: list[int] = []
    real = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        asked.append(-1 if size is None else size)
        return real(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    header = bytes((0, 0, 8, 1)) + struct.pack(">I", 2500)
    (tmp_path / "labels.gz").write_bytes(gzip.compress(header + bytes(10_000_000)))
    with pytest.raises(DataError, match="promises 2500 = 2500 bytes, but the file holds more"):
        read_idx(tmp_path / "labels.gz", 1)
    assert min(asked) > 0
    assert sum(asked) < 3000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing, but IDX bytes in 3 dimensions start with 00000803"),
        (b"\x00\x00\x08\x01" + bytes(100), "starts with 00000801"),
        (b"\x00\x00\x0d\x03" + bytes(100), "starts with 00000d03"),
        (b"\x00\x00\x08\x03\x00\x00", "ends inside its header"),
    ],
)
def test_another_file_is_not_taken_for_images(tmp_path, content, message):
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "images", 3)


@pytest.mark.parametrize("damage", ["not gzip", "truncated", "flipped"])
def test_damaged_gzip_is_refused(tmp_path, damage, noise):
    header = bytes((0, 0, 8, 3)) + struct.pack(">3I", 20, 30, 40)
    content = bytearray(gzip.compress(header + noise(24_000).tobytes()))
    if damage == "truncated":
        content = content[:-5000]
    elif damage == "flipped":
        content[12_000] ^= 0xFF
    (tmp_path / "images.gz").write_bytes(b"plain" if damage == "not gzip" else content)
    with pytest.raises(DataError, match=r"images.gz"):
        read_idx(tmp_path / "images.gz", 3)


def test_the_identity_follows_the_files(idx_directory):
    spec = IdxData(path=idx_directory)
    before = list_idx(spec).identity
    assert list_idx(spec).identity == before
    os.utime(idx_directory / LABELS, ns=(1, 1))
    after = list_idx(spec).identity
    assert after != before
    assert list_idx(IdxData(path=idx_directory, classes=["a", "b", "c"])).identity != after


def test_images_keep_their_versions_whatever_is_added(idx_directory):
    both = list_idx(IdxData(path=idx_directory)).versions
    for path in idx_directory.glob("t10k*"):
        path.unlink()
    alone = list_idx(IdxData(path=idx_directory)).versions
    assert (len(set(both)), alone) == (39, both[:30])
