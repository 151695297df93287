"""COCO's annotations as labels of images."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.draft import Wish, drafts_of
from graft.data.listing import Listing, list_samples
from graft.data.split import UNASSIGNED, Split
from graft.spec.load import parse_job

CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]


def listed(path: Path, **changes: Any) -> Listing:
    return list_samples(parse_job({"name": "x", "data": {"kind": "coco", "path": str(path), **changes}}).data)


def annotated(labels: Mapping[str, list[int]]) -> dict[str, Any]:
    images = [{"id": number, "file_name": name} for number, name in enumerate(labels)]
    annotations = [
        {"image_id": number, "category_id": one} for number, found in enumerate(labels.values()) for one in found
    ]
    return {"images": images, "annotations": annotations, "categories": CATEGORIES}


@pytest.fixture
def root(tmp_path: Path, encode: Callable[..., bytes], noise: Callable[..., np.ndarray]) -> Path:
    for place in ("images", "images/train", "images/val"):
        (tmp_path / place).mkdir()
        for number in range(3):
            (tmp_path / place / f"{number}.png").write_bytes(encode(noise(4, 5, 3, seed=number)))
    return tmp_path


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_one_category_each(root: Path, noise: Callable[..., np.ndarray]) -> None:
    listing = listed(write(root / "a.json", annotated({"0.png": [7, 7], "1.png": [3], "2.png": []})))
    assert (listing.ids, listing.targets.categories) == (("0.png", "1.png"), ("cat", "dog"))
    assert listing.targets.values.tolist() == [1, 0]
    assert [(one.reason, one.count) for one in listing.ignored] == [("image without an annotation", 1)]
    assert np.array_equal(listing.reader(listing.sources[1], 0).pixels, noise(4, 5, 3, seed=1))


def test_files_that_are_missing_or_empty_are_told(root: Path) -> None:
    (root / "images" / "none.png").touch()
    labels = {"0.png": [7], "1.png": [3], "gone.png": [3], "none.png": [7]}
    told = listed(write(root / "a.json", annotated(labels))).unreadable
    assert {(one.reason, one.examples) for one in told} == {
        ("row whose file is not there", ("gone.png",)),
        ("row whose file is empty", ("none.png",)),
    }


def test_several_categories(root: Path) -> None:
    path = write(root / "a.json", annotated({"0.png": [3, 7], "1.png": [3], "2.png": []}))
    assert listed(path).targets.values.tolist() == [["dog", "cat"], ["cat"], []]
    assert listed(path, labels="one").ids == ("1.png",)


def test_a_file_for_each_split(root: Path) -> None:
    for split in ("train", "val"):
        write(root / f"instances_{split}.json", annotated({"0.png": [3], "1.png": [7]}))
    listing = listed(root)
    assert listing.given.tolist() == [UNASSIGNED] * 2 + [int(Split.VALIDATION)] * 2
    assert listing.sources[3].endswith(b"images/val/1.png") or listing.sources[3].endswith(b"images/1.png")


def test_it_is_found_by_its_path(root: Path) -> None:
    draft = drafts_of(write(root / "a.json", annotated({"0.png": [3], "1.png": [7]})), Wish())[0]
    assert (draft.kind, draft.samples) == ("coco", 2)
    assert drafts_of(write(root / "b.json", {"images": 1}), Wish()) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty|no JSON"),
        ("{", "is no JSON"),
        ('{"images": [], "images": []}', "gives the key `images` twice"),
        ("[" * 100_000, "is no JSON"),
        ([], "is a list, but must be an object"),
        ({"images": []}, "no list of objects `images`"),
        ({**annotated({"0.png": [3]}), "annotations": [{"image_id": 0, "category_id": 99}]}, "of category 99, which"),
        ({**annotated({"0.png": [3]}), "annotations": [{"image_id": [], "category_id": {}}]}, "of category {}, which"),
        ({**annotated({"0.png": [3]}), "images": [{"id": 0}, {"id": 1, "file_name": "0.png"}]}, "has no `file_name`"),
        (annotated({"gone.png": [3]}), "names `gone.png`, which is not in"),
        (annotated({"0.png": []}), "no list of objects `annotations`"),
    ],
)
def test_what_cannot_be_is_one_line(content: Any, told: str, root: Path) -> None:
    with pytest.raises(DataError, match=told) as raised:
        listed(write(root / "a.json", content))
    assert "\n" not in str(raised.value)


def test_groups_times_and_weights_are_keys_of_images(root: Path) -> None:
    content = annotated({"0.png": [7], "1.png": [3], "2.png": []})
    for number, one in enumerate(content["images"]):
        one |= {"location": number // 2, "date_captured": f"2024-01-0{3 - number} 10:00:00", "share": 1.5}
    section = {"group": "location", "time": "date_captured", "weight": "share", "split_by": "group"}
    listing = listed(write(root / "a.json", content), **section)
    assert listing.groups is not None
    assert listing.times is not None
    assert listing.weights is not None
    assert (listing.groups.tolist(), listing.weights.tolist()) == (["0", "0"], [1.5, 1.5])
    assert np.diff(listing.times).tolist() == [-86_400_000_000]
    with pytest.raises(DataError, match=r"column `room` of a.json is empty in all rows"):
        listed(root / "a.json", group="room")
