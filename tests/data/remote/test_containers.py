"""Archives, annotations, saved sets and images with a table in stores are what they are on a disk."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.archives import write_tar

from graft.core.errors import DataError
from graft.data.listing import Listing, list_samples
from graft.data.remote import copies
from graft.spec.load import parse_job

LABELS = ("cat", "dog")


def listed(path: Path | str, **section: Any) -> Listing:
    return list_samples(parse_job({"name": "x", "data": {**section, "path": str(path)}}).data)


def same(local: Listing, remote: Listing) -> None:
    assert remote.ids == local.ids
    assert remote.targets.values.tolist() == local.targets.values.tolist()
    assert remote.targets.categories == local.targets.categories
    assert remote.given.tolist() == local.given.tolist()
    pixels = [[one.reader(source, 0).pixels for source in one.sources] for one in (local, remote)]
    assert all(np.array_equal(*pair) for pair in zip(*pixels, strict=True))
    assert len(remote.versions) == len(set(remote.versions)) == len(remote)


@pytest.fixture
def png(encode, noise) -> Callable[[int], bytes]:
    return lambda number: encode(noise(4, 5, 3, seed=number))


@pytest.fixture
def shards(tmp_path: Path, png) -> Path:
    for number, name in enumerate(("train-0", "train-1", "test-0")):
        members = [(f"{row}.{end}", png(10 * number + row) if end == "png" else LABELS[row % 2].encode())
                   for row in range(4) for end in ("png", "cls")]  # fmt: skip
        write_tar(tmp_path / "shards" / f"{name}.tar", members)
    return tmp_path / "shards"


@pytest.fixture
def metadata(tmp_path: Path, png) -> Path:
    root = tmp_path / "photos"
    for split in ("train", "test"):
        (root / split / "in").mkdir(parents=True)
        for number in range(2):
            (root / split / "in" / f"{number} ä.png").write_bytes(png(number + 2 * (split == "test")))
        (root / split / "metadata.csv").write_text("file_name,label\nin/0 ä.png,cat\nin/1 ä.png,dog\n")
    return root


@pytest.fixture
def annotated(tmp_path: Path, png) -> Path:
    root = tmp_path / "coco"
    for split in ("train", "val"):
        (root / "images" / split).mkdir(parents=True)
        for number in range(2):
            (root / "images" / split / f"{number}.png").write_bytes(png(number + 2 * (split == "val")))
        images = [{"id": number, "file_name": f"{number}.png"} for number in range(2)]
        labels = [{"image_id": number, "category_id": number} for number in range(2)]
        categories = [{"id": number, "name": name} for number, name in enumerate(LABELS)]
        (root / "annotations").mkdir(exist_ok=True)
        content = {"images": images, "annotations": labels, "categories": categories}
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    return root


@pytest.mark.parametrize("pattern", ["", "/*.tar", "/{train-0,train-1,test-0}.tar"])
def test_shards(shards, s3, pattern):
    section = {"kind": "webdataset", "image": "png"}
    uri = s3.put_all(shards, "my shards")
    local, remote = (listed(f"{path}{pattern}", **section) for path in (shards, uri))
    same(local, remote)
    assert remote.source == f"images in {uri}{pattern}"


def test_a_shard_that_is_added_is_copied_alone(shards, s3, png, monkeypatch):
    section = {"kind": "webdataset", "image": "png"}
    uri = s3.put_all(shards, "shards")
    first = listed(uri, **section)
    write_tar(shards / "train-2.tar", [("9.png", png(9)), ("9.cls", b"cat")])
    s3.put("shards/train-2.tar", (shards / "train-2.tar").read_bytes())
    copied, copy_object = [], copies.copy_object
    monkeypatch.setattr(
        copies, "copy_object", lambda where, entry: copied.append(where.key) or copy_object(where, entry)
    )
    second = listed(uri, **section)
    assert copied == ["shards/train-2.tar"]
    assert set(first.versions) < set(second.versions)
    assert second.identity != first.identity


def test_shards_of_a_web_server_are_named(shards, web):
    root, url = web
    for path in shards.iterdir():
        (root / path.name).write_bytes(path.read_bytes())
    section = {"kind": "webdataset", "image": "png"}
    same(listed(shards / "train-{0..1}.tar", **section), listed(f"{url}/train-{{0..1}}.tar", **section))
    with pytest.raises(DataError, match="a web server lists no folder; name the files themselves"):
        listed(f"{url}/*.tar", **section)


@pytest.mark.parametrize("what", ["no shards", "nothing/*.tar"])
def test_a_path_that_means_no_shards(s3, what):
    s3.put("no shards/a.txt", b"x")
    s3.put("nothing/a.txt", b"x")
    with pytest.raises(DataError, match=r"holds no .tar files|no file has such a name"):
        listed(s3.at(what), kind="webdataset", image="png")


def test_images_with_a_table_beside_them(metadata, s3):
    uri = s3.put_all(metadata, "photos")
    local, remote = (listed(path, kind="image_metadata") for path in (metadata, uri))
    same(local, remote)
    assert remote.ids[0] == "test/in/0 ä.png"
    s3.delete("photos/train/in/0 ä.png")
    assert listed(uri, kind="image_metadata").unreadable[0].count == 1
    s3.delete("photos/train/metadata.csv")
    with pytest.raises(DataError, match=rf"{uri}/train holds no metadata.csv, .* check the path"):
        listed(f"{uri}/train", kind="image_metadata")


def test_a_table_in_a_store_names_nothing_that_leads_out(metadata, s3):
    s3.put_all(metadata, "photos")
    s3.put("photos/metadata.csv", b"file_name,label\n../../../../etc/hostname,cat\ntrain/in/1.png,dog\n")
    found = listed(s3.at("photos"), kind="image_metadata")
    assert found.sources[0] == f"{s3.at()}/etc/hostname".encode()


@pytest.mark.parametrize("path", ["annotations", "annotations/instances_train.json"])
def test_annotations(annotated, s3, path):
    uri = s3.put_all(annotated, "coco")
    local, remote = (listed(f"{place}/{path}", kind="coco") for place in (annotated, uri))
    same(local, remote)
    same(local, listed(f"{annotated}/{path}", kind="coco", directory=f"{uri}/images") if "." in path else remote)


def test_images_that_are_not_where_they_could_be(annotated, s3):
    uri = s3.put("only/instances_train.json", (annotated / "annotations/instances_train.json").read_bytes())
    with pytest.raises(DataError, match=rf"{uri} names `0.png`, which is not in {s3.at('only')} or beside it"):
        listed(uri, kind="coco")


def test_a_set_that_datasets_has_saved(tmp_path, s3, noise):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=[*LABELS]))
    rows = {"image": [noise(4, 5, 3, seed=n) for n in range(6)], "label": [0, 1, 1, 0, 1, 0]}
    whole = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict(train=whole, test=whole.select([0, 1])).save_to_disk(tmp_path / "set")
    uri = s3.put_all(tmp_path / "set", "set")
    section = {"kind": "huggingface", "image": "image"}
    local, remote = (listed(path, **section) for path in (tmp_path / "set", uri))
    same(local, remote)
    assert listed(uri, **section).identity == remote.identity
    s3.delete("set/test/state.json")
    with pytest.raises(DataError, match=rf"{uri}/test/state.json cannot be read"):
        listed(uri, **section)


def test_names_that_lead_out_of_a_folder_are_not_copied(s3, monkeypatch):
    for name in ("set/../../x.tar", "set//y.tar", "set/./z.tar"):
        s3.put(name, b"1")
    with pytest.raises(DataError, match=r"holds no .tar files"):
        listed(s3.at("set"), kind="webdataset", image="png")
