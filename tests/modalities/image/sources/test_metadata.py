"""Images with a table beside them."""

import json
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


def listed(path: Path, **changes: Any) -> Listing:
    return list_samples(parse_job({"name": "x", "data": {"kind": "image_metadata", "path": str(path), **changes}}).data)


@pytest.fixture
def root(tmp_path: Path, encode: Callable[..., bytes], noise: Callable[..., np.ndarray]) -> Path:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for number in range(2):
            (tmp_path / split / f"{number}.png").write_bytes(encode(noise(4, 5, 3, seed=number)))
    return tmp_path


def test_a_table_in_the_folder_of_each_split(root: Path, noise: Callable[..., np.ndarray]) -> None:
    (root / "train" / "metadata.csv").write_text("file_name,label\n0.png,cat\n1.png,dog\n")
    rows = [{"file_name": "1.png", "label": "cat"}]
    (root / "test" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    listing = listed(root)
    assert listing.ids == ("test/1.png", "train/0.png", "train/1.png")
    assert listing.given.tolist() == [int(Split.TEST), UNASSIGNED, UNASSIGNED]
    assert listing.targets.values.tolist() == ["cat", "cat", "dog"]
    assert np.array_equal(listing.reader(listing.sources[0], 0).pixels, noise(4, 5, 3, seed=1))


def test_one_table_at_the_top(root: Path) -> None:
    (root / "metadata.csv").write_text("path,price\ntrain/0.png,1.5\ntest/1.png,2\ntest/gone.png,3\ntest/none.png,4\n")
    (root / "test" / "none.png").touch()
    listing = listed(root, file="path", label="price")
    assert listing.given.tolist() == [UNASSIGNED, *[int(Split.TEST)] * 3]
    assert listing.targets.values.tolist() == [1.5, 2, 3, 4]
    assert [(one.reason, one.examples) for one in listing.unreadable] == [
        ("row whose file is empty", ("test/none.png",)),
        ("row whose file is not there", ("test/gone.png",)),
    ]


def test_it_is_found_by_its_path(root: Path) -> None:
    (root / "metadata.csv").write_text("file_name,kind\ntrain/0.png,a\ntest/1.png,b\n")
    draft = drafts_of(root, Wish(labels=("kind",), kind="image_metadata"))[0]
    assert (draft.samples, draft.section) == (2, {"label": "kind"})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "holds no metadata.csv"),
        ("", "is empty"),
        ("file_name,label\n", "holds no rows"),
        ("file,label\n0.png,a\n", "no column `file_name`"),
        ("file_name,label\ntrain/0.png,\n", "is empty in every row"),
        ("file_name,label\ntrain/0.png,a,b\n", "has 3 fields"),
    ],
)
def test_what_cannot_be_is_one_line(content: str | None, told: str, root: Path) -> None:
    if content is not None:
        (root / "metadata.csv").write_text(content)
    with pytest.raises(DataError, match=told) as raised:
        listed(root)
    assert "\n" not in str(raised.value)


def test_groups_times_and_weights(root: Path) -> None:
    head = "file_name,label,artist,day,counts\n"
    (root / "train" / "metadata.csv").write_text(f"{head}0.png,cat,ann,2024-01-02,1\n1.png,dog,,2024-01-03,0.5\n")
    (root / "test" / "metadata.csv").write_text(f"{head}1.png,cat,ann,2024-01-01,2\n")
    listing = listed(root, group="artist", time="day", weight="counts", split_by="group")
    assert listing.groups is not None
    assert listing.times is not None
    assert listing.weights is not None
    assert (listing.groups.tolist(), listing.weights.tolist()) == (["ann", "ann", None], [2, 1, 0.5])
    assert np.diff(listing.times).tolist() == [86_400_000_000] * 2
    with pytest.raises(DataError, match=r"metadata.csv has no column `room`"):
        listed(root, group="room")
    with pytest.raises(SpecError, match="`group` and `time` are both named; name one of them"):
        listed(root, group="artist", time="day")
