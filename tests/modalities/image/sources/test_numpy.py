"""Arrays of images: forms, scales, names, and everything that is told in one line."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.core.errors import DataError, SpecError
from graft.data.draft import Wish, drafts_of
from graft.data.listing import Listing, list_samples
from graft.data.split import UNASSIGNED, Split
from graft.spec.load import parse_job

Y = np.array([0, 1, 1, 0])


def listed(path: Path, **changes: Any) -> Listing:
    return list_samples(parse_job({"name": "x", "data": {"kind": "numpy", "path": str(path), **changes}}).data)


def pixels_of(listing: Listing, row: int) -> np.ndarray:
    pixels: np.ndarray = listing.reader(listing.sources[row], 0).pixels
    return pixels


@pytest.fixture
def x(noise: Callable[..., np.ndarray]) -> np.ndarray:
    return noise(4, 5, 6, 3)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_as_keras_has_it(save: Callable[..., None], tmp_path: Path, x: np.ndarray) -> None:
    save(tmp_path / "a.npz", x_train=x, y_train=Y[:, None], x_test=x[:2], y_test=Y[:2, None])
    listing = listed(tmp_path / "a.npz", classes=["cat", "dog"])
    assert listing.given.tolist() == [UNASSIGNED] * 4 + [int(Split.TEST)] * 2
    assert (listing.targets.values.tolist(), listing.targets.categories) == ([0, 1, 1, 0, 0, 1], ("cat", "dog"))
    assert listing.ids[:2] == ["train/1", "train/2"]
    for row in (3, 5, 0):
        assert np.array_equal(pixels_of(listing, row), x[row % 4])


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x[..., 0],
        lambda x: x[..., :1],
        lambda x: x.transpose(0, 3, 1, 2),
        lambda x: x / 255.0,
        lambda x: x.astype(np.float32),
        lambda x: x.astype(np.int64),
        np.asfortranarray,
    ],
    ids=["grey", "one channel", "channels first", "0 to 1", "floats", "whole numbers", "fortran"],
)
def test_forms_and_scales(change: Callable[[Any], Any], tmp_path: Path, x: np.ndarray) -> None:
    changed = change(x)
    np.save(tmp_path / "images.npy", changed)
    np.save(tmp_path / "labels.npy", Y)
    listing = listed(tmp_path)
    is_grey = changed.ndim == 3 or changed.shape[3] == 1
    assert np.array_equal(pixels_of(listing, 2), x[2, ..., 0] if is_grey else x[2])
    assert listing.facts["channels"] == (1 if is_grey else 3)


@pytest.mark.parametrize(
    ("y", "values"),
    [
        (np.eye(2)[Y], [0, 1, 1, 0]),
        (np.array(["b", "a", "a", "b"]), ["b", "a", "a", "b"]),
        (np.array([0.5, 1, 2, 3]), [0.5, 1, 2, 3]),
        (np.array([[1, 1], [0, 1], [0, 0], [1, 0]]), [[1, 1], [0, 1], [0, 0], [1, 0]]),
    ],
)
def test_labels_in_every_form(y: np.ndarray, values: list[Any], tmp_path: Path, x: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", arr_0=x, arr_1=y)
    assert listed(tmp_path / "a.npz").targets.values.tolist() == values


def test_arrays_may_be_named_by_the_job(tmp_path: Path, x: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", one=x, two=x, three=Y, four=Y)
    assert len(listed(tmp_path / "a.npz", samples="two", labels="four")) == 4
    with pytest.raises(SpecError, match=r"must be given where data\.samples is"):
        listed(tmp_path / "a.npz", samples="two")
    with pytest.raises(DataError, match=r"no array `five`.*`one` \[4, 5, 6, 3\]"):
        listed(tmp_path / "a.npz", samples="five", labels="four")


def test_it_is_found_by_its_path(tmp_path: Path, x: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", x=x, y=Y)
    draft = drafts_of(tmp_path / "a.npz", Wish())[0]
    assert (draft.kind, draft.samples, draft.strategy) == ("numpy", 4, {"resolution": 32})


class Boom:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('ran')",))


def archive(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w") as written:
        for name, content in members.items():
            written.writestr(f"{name}.npy", content)


def npy(values: np.ndarray, shape: tuple[int, ...] | None = None) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": values.dtype.str, "fortran_order": False, "shape": shape or values.shape}
    )
    return stream.getvalue() + values.tobytes()


def test_nothing_is_unpickled(tmp_path: Path, x: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", x=x, y=np.array([Boom()] * 4, dtype=object))
    with pytest.raises(DataError, match="holds Python objects, which could run code"):
        listed(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Boom()))
    with pytest.raises(DataError, match="is damaged or no array"):
        listed(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({}, "holds no arrays"),
        ({"x": b"", "y": b""}, "is damaged or no array"),
        ({"x": b"\x93NUMPY\x09\x00", "y": npy(Y)}, "of version 9.0"),
        ({"x": npy(np.zeros((2, 2, 2), np.uint8), (2, 2, 2)), "y": npy(Y)}, "has 2 rows, but .* has 4"),
        ({"x": npy(np.zeros(8, np.uint8), (4, 100, 100)), "y": npy(Y)}, "promises 40000 bytes, but it holds only 8"),
        ({"x": npy(np.zeros(8, np.uint8), (4, 10**6, 10**6)), "y": npy(Y)}, "but an archive may hold"),
        ({"x": npy(np.zeros(4, np.uint8)), "y": npy(Y)}, "is .4., but must be .N, H, W."),
        ({"x": npy(np.full((4, 2, 2), 300.0)), "y": npy(Y)}, "from 300 to 300, but must have 0 to 1 or 0 to 255"),
        ({"x": npy(np.full((4, 2, 2), np.nan)), "y": npy(Y)}, "has values from nan to nan"),
        ({"x": npy(np.zeros((4, 2, 2), complex)), "y": npy(Y)}, "is of type complex128"),
        ({"a": npy(Y), "b": npy(Y)}, "must have one of samples and one of labels"),
    ],
)
def test_what_cannot_be_is_one_line(members: dict[str, bytes], told: str, tmp_path: Path) -> None:
    archive(tmp_path / "a.npz", **members)
    with pytest.raises(DataError, match=told) as raised:
        listed(tmp_path / "a.npz")
    assert "\n" not in str(raised.value)


def test_a_plain_file_that_is_cut(tmp_path: Path, x: np.ndarray) -> None:
    (tmp_path / "x.npy").write_bytes(npy(x)[:-9])
    np.save(tmp_path / "y.npy", Y)
    with pytest.raises(DataError, match="promises 360 bytes, but it holds only 351"):
        listed(tmp_path)


def test_images_keep_their_versions_whatever_is_added(tmp_path: Path, x: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", x_train=x, y_train=Y)
    before = listed(tmp_path / "a.npz").versions
    np.savez(tmp_path / "a.npz", x_train=np.concatenate([x, 255 - x]), y_train=np.tile(Y, 2))
    after = listed(tmp_path / "a.npz").versions
    assert before is not None
    assert after is not None
    assert (len(set(after)), list(after[:4])) == (8, list(before))
