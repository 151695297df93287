"""Hugging Face data sets: saved on a disk, or of the hub, read without the library where it is not needed."""

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graft.core.errors import DataError, ResourceError, SpecError
from graft.data.draft import Wish, drafts_of
from graft.data.listing import Listing, list_samples
from graft.data.split import UNASSIGNED, Split
from graft.spec.load import parse_job

datasets = pytest.importorskip("datasets")
Noise = Callable[..., np.ndarray]
NAMES = ["cat", "dog"]


def listed(**section: Any) -> Listing:
    return list_samples(parse_job({"name": "x", "data": {"kind": "huggingface", **section}}).data)


@pytest.fixture
def images(noise: Noise) -> Any:
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=NAMES))
    rows = {"image": [noise(4, 5, 3, seed=n) for n in range(6)], "label": [0, 1, 1, 0, 1, 0]}
    return datasets.Dataset.from_dict(rows, features=features)


@pytest.fixture
def saved(images: Any, tmp_path: Path) -> Path:
    images.save_to_disk(tmp_path / "set", num_shards=2)
    return tmp_path / "set"


def test_images_are_read_from_their_places(saved: Path, noise: Noise) -> None:
    listing = listed(path=str(saved), image="image")
    assert (listing.targets.categories, listing.targets.values.tolist()) == (("cat", "dog"), [0, 1, 1, 0, 1, 0])
    assert (listing.ids[0], set(listing.given.tolist())) == ("row/1", {UNASSIGNED})
    reader = pickle.loads(pickle.dumps(listing.reader))
    for row in (5, 0, 3, 4):
        assert np.array_equal(reader(listing.sources[row], 0).pixels, noise(4, 5, 3, seed=row))


def test_splits_come_along(images: Any, tmp_path: Path) -> None:
    parts = datasets.DatasetDict(train=images, test=images.select([0, 1]), unsupervised=images)
    parts.save_to_disk(tmp_path / "set")
    listing = listed(path=str(tmp_path / "set"), image="image")
    assert listing.given.tolist() == [UNASSIGNED] * 6 + [int(Split.TEST)] * 2
    assert (listing.ids[-1], listing.ignored[0].examples) == ("test/2", ("unsupervised",))


def test_texts_and_lists_of_labels(tmp_path: Path) -> None:
    kind = datasets.Features(review=datasets.Value("string"), tags=datasets.List(datasets.ClassLabel(names=NAMES)))
    made = datasets.Dataset.from_dict({"review": ["a", "bé"], "tags": [[0, 1], []]}, features=kind)
    made.save_to_disk(tmp_path / "set")
    listing = listed(path=str(tmp_path / "set"), text="review", label="tags")
    assert [listing.reader(source) for source in listing.sources] == ["a", "bé"]
    assert listing.targets.values.tolist() == [["cat", "dog"], []]


def test_it_needs_no_library(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert len(listed(path=str(saved), image="image")) == 6
    with pytest.raises(DataError, match=r"not installed; pip install 'graft\[hub\]'"):
        listed(name="beans", image="image")


def test_it_is_found_by_its_path(saved: Path) -> None:
    draft = drafts_of(saved, Wish())[0]
    assert (draft.kind, draft.samples, draft.section) == ("huggingface", 6, {"image": "image", "label": "label"})


def test_the_hub_offline_is_one_line() -> None:
    with pytest.raises(ResourceError, match=r"cannot be reached from here.*save_to_disk\('DIR'\)"):
        listed(name="no-such-user/no-such-set", image="image")


def test_a_set_of_the_hub(saved: Path, images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = datasets.load_from_disk(saved)
    asked: list[Any] = []

    def load(*given: Any, **named: Any) -> Any:
        asked.append((given, named))
        return datasets.DatasetDict(train=fetched)

    monkeypatch.setattr(datasets, "load_dataset", load)
    listing = listed(name="beans", config="small", revision="v1", image="image")
    assert (len(listing), asked) == (6, [(("beans", "small"), {"revision": "v1"})])
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: SimpleNamespace(cache_files=[]))
    with pytest.raises(DataError, match="of which no file lies on this machine"):
        listed(name="beans", image="image")


def state(path: Path, content: Any) -> None:
    (path / "state.json").write_text(content if isinstance(content, str) else json.dumps(content))


def cut(path: Path) -> None:
    file = next(path.glob("data-*.arrow"))
    file.write_bytes(file.read_bytes()[:700])


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: (path / "state.json").unlink(), "has no state.json and no dataset_dict.json"),
        (lambda path: state(path, "{"), "is no JSON"),
        (lambda path: state(path, "[" * 100_000), "is no JSON"),
        (lambda path: state(path, []), "is a list, but must be an object"),
        (lambda path: state(path, {"_data_files": [{"filename": "../../etc/passwd"}]}), "names no files beside it"),
        (lambda path: state(path, {"_data_files": [{"filename": "gone.arrow"}]}), "gone.arrow is not there"),
        (lambda path: state(path, {"_data_files": 7}), "names no files beside it"),
        (cut, "is damaged"),
    ],
)
def test_what_is_damaged_is_one_line(harm: Callable[[Path], Any], told: str, saved: Path) -> None:
    harm(saved)
    with pytest.raises(DataError, match=told) as raised:
        listed(path=str(saved), image="image")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"image": "photo"}, "no column `photo`"),
        ({"image": "image", "label": "kind"}, "no column `kind`"),
        ({"text": "image"}, "but must be text"),
        ({"image": "label", "label": "image"}, "must hold the files themselves"),
    ],
)
def test_columns_that_cannot_be(section: dict[str, str], told: str, saved: Path) -> None:
    with pytest.raises(DataError, match=told):
        listed(path=str(saved), **section)


def test_rows_without_a_label(tmp_path: Path) -> None:
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=NAMES))
    for name, labels in (("some", [0, -1, 1]), ("none", [-1, -1, -1])):
        made = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": labels}, features=features)
        made.save_to_disk(tmp_path / name)
    found = listed(path=str(tmp_path / "some"), text="text")
    assert found.targets.values.tolist() == [0, 1]
    assert (list(found.ids), found.ignored[0].count) == (["row/1", "row/3"], 1)
    with pytest.raises(DataError, match="is -1 in every row, which stands for no label"):
        listed(path=str(tmp_path / "none"), text="text")


def test_settings_that_cannot_be() -> None:
    for section, told in (({}, "both missing"), ({"path": "a", "name": "b"}, "both given"),
                          ({"path": "a", "revision": "v1"}, "there is no `name`")):  # fmt: skip
        with pytest.raises(SpecError, match=told):
            listed(image="image", **section)


def test_groups_times_and_weights(images: Any, tmp_path: Path) -> None:
    rows = images.add_column("patient", ["a", "b", "a", None, "c", "c"]).add_column("year", list(range(2000, 2006)))
    rows.add_column("counts", [1.0, 0.5] * 3).save_to_disk(tmp_path / "set", num_shards=2)
    section = {"path": str(tmp_path / "set"), "image": "image", "split_by": "time", "time": "year"}
    listing = listed(**section, weight="counts")
    assert listing.times is not None
    assert listing.weights is not None
    assert (listing.times.tolist(), listing.weights.tolist()) == ([*range(2000, 2006)], [1.0, 0.5] * 3)
    grouped = listed(path=section["path"], image="image", group="patient").groups
    assert grouped is not None
    assert grouped.tolist() == ["a", "b", "a", None, "c", "c"]
    with pytest.raises(DataError, match="has no column `room`"):
        listed(path=section["path"], image="image", group="room")
