import contextlib
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.dataset import Split
from graft.data.split import UNASSIGNED
from graft.modalities.image.sources.image_folder import image_files, list_image_folder
from graft.spec.modalities.image import ImageFolderData


def listed(root: Path):
    return list_image_folder(ImageFolderData(path=root))


def test_one_folder_for_each_class(tmp_path, image_folder):
    found: list[int] = []
    listing = list_image_folder(ImageFolderData(path=image_folder(tmp_path, {"dog": 2, "cat": 3})), found.append)
    assert listing.targets.categories == ("cat", "dog")
    assert listing.targets.values.tolist() == [0, 0, 0, 1, 1]
    assert listing.ids == ("cat/000.png", "cat/001.png", "cat/002.png", "dog/000.png", "dog/001.png")
    assert np.all(listing.given == UNASSIGNED)
    assert found[-1] == 5
    assert listing.reader(listing.sources[0], 8).pixels.shape == (10, 14, 3)


def test_images_may_lie_deeper(tmp_path, image_folder):
    image_folder(tmp_path, {"cat/tabby/small": 2, "cat": 1, "dog": 1})
    assert listed(tmp_path).ids == ("cat/000.png", "cat/tabby/small/000.png", "cat/tabby/small/001.png", "dog/000.png")


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Val"])
def test_folders_named_as_splits_are_the_splits(tmp_path, image_folder, validation):
    folders = [f"{split}/{name}" for split in ("train", validation, "test") for name in ("cat", "dog")]
    listing = listed(image_folder(tmp_path, dict.fromkeys(folders, 1)))
    assert listing.targets.categories == ("cat", "dog")
    given = {name: int(code) for name, code in zip(listing.ids, listing.given, strict=True)}
    assert given["train/cat/000.png"] == UNASSIGNED
    assert given[f"{validation}/cat/000.png"] == Split.VALIDATION
    assert given["test/dog/000.png"] == Split.TEST


def test_classes_may_be_called_train_and_test(tmp_path, image_folder):
    image_folder(tmp_path, {"train": 2, "test": 2})
    with pytest.raises(DataError, match=r"either they are splits .* or they are classes"):
        listed(tmp_path)
    listing = list_image_folder(ImageFolderData(path=tmp_path, layout="classes"))
    assert listing.targets.categories == ("test", "train")
    assert np.all(listing.given == UNASSIGNED)


def test_two_validation_folders_are_one_too_many(tmp_path, image_folder):
    image_folder(tmp_path, {"train/cat": 1, "val/cat": 1, "validation/cat": 1})
    with pytest.raises(DataError, match="val and validation, but must have one"):
        listed(tmp_path)


def test_a_class_must_be_trained(tmp_path, image_folder):
    image_folder(tmp_path, {"train/cat": 1, "train/dog": 1, "test/owl": 1})
    with pytest.raises(DataError, match="class `owl` for validation or test, but not in train"):
        listed(tmp_path)


def test_an_empty_class_folder_is_named(tmp_path, image_folder):
    image_folder(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / "owl").mkdir()
    with pytest.raises(DataError, match="owl is empty; add images or remove it"):
        listed(tmp_path)
    (tmp_path / "owl" / "labels.csv").write_text("a,b")
    with pytest.raises(DataError, match=r"owl is empty .its 1 files are not named as images"):
        listed(tmp_path)


def test_images_without_class_folders(tmp_path, image_folder):
    image_folder(tmp_path, {".": 2})
    with pytest.raises(DataError, match="holds images directly, but must hold one folder"):
        listed(tmp_path)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["cat.{}.jpg", "dog.{}.jpg"], "their names begin with cat and dog: if these are the classes, move cat*"),
        (["Bengal_{}.jpg", "great_dane_{}.jpg", "pug-{}.jpg"], "begin with Bengal, great_dane and pug: if these"),
        (["кот{}.jpg", "собака{}.jpg"], "begin with кот and собака"),
        (["IMG_{}.jpg"], ""),
        (["{}.jpg"], ""),
    ],
)
def test_a_class_in_the_names_of_files_is_seen(tmp_path, image_folder, names, told):
    image_folder(tmp_path, {".": 1})
    pets = tmp_path / "mine" / "pets"
    pets.mkdir(parents=True)
    for name in names:
        for number in range(7):
            (pets / name.format(number)).write_bytes((tmp_path / "000.png").read_bytes())
    with pytest.raises(DataError, match="holds images directly") as found:
        listed(pets)
    assert told in str(found.value)
    assert ("their names begin with" in str(found.value)) == bool(told)


def test_nothing_at_all(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        listed(tmp_path)
    with pytest.raises(DataError, match="there is nothing there"):
        listed(tmp_path / "gone")


def test_what_is_hidden_or_no_image_is_passed_over(tmp_path, image_folder):
    image_folder(tmp_path, {"cat": 1, "dog": 1, ".cache": 1, "cat/.thumbnails": 3})
    (tmp_path / "cat" / ".hidden.png").write_bytes(b"")
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "README.md").write_text("x")
    listing = listed(tmp_path)
    assert listing.ids == ("cat/000.png", "dog/000.png")
    assert {one.reason: one.count for one in listing.ignored} == {
        "hidden": 1,
        "suffix .md": 1,
        "suffix .txt": 1,
        "system folder": 4,
    }


def test_images_of_unreadable_formats_are_listed_so_that_they_are_reported(tmp_path, image_folder):
    image_folder(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / "cat" / "a.HEIC").write_bytes(b"x")
    (tmp_path / "cat" / "without_suffix").write_bytes(b"x")
    assert "cat/a.HEIC" in listed(tmp_path).ids
    assert "cat/without_suffix" in listed(tmp_path).ids


def test_links_are_followed_but_not_in_circles(tmp_path, image_folder):
    image_folder(tmp_path / "elsewhere", {"cat": 2})
    image_folder(tmp_path / "data", {"dog": 1})
    (tmp_path / "data" / "cat").symlink_to(tmp_path / "elsewhere" / "cat")
    (tmp_path / "elsewhere" / "cat" / "self").symlink_to(tmp_path / "elsewhere" / "cat")
    (tmp_path / "data" / "dog" / "dangling.png").symlink_to(tmp_path / "gone.png")
    assert listed(tmp_path / "data").ids == ("cat/000.png", "cat/001.png", "dog/000.png", "dog/dangling.png")


def test_names_that_are_no_text_are_shown_with_escapes(tmp_path, image_folder, encode, noise):
    image_folder(tmp_path, {"cat": 1, "dog": 1})
    strange = os.path.join(os.fsencode(tmp_path / "cat"), b"\xff.png")
    try:
        with open(strange, "wb") as stream:
            stream.write(encode(noise(4, 4, 3)))
    except OSError:
        pytest.skip("this file system takes only text")
    listing = listed(tmp_path)
    assert listing.ids[1] == "cat/\\xff.png"
    assert listing.reader(listing.sources[1], 4).pixels.shape == (4, 4, 3)
    assert len(listing.identity) == 64


def test_the_identity_follows_names_sizes_and_times(tmp_path, image_folder):
    image_folder(tmp_path, {"cat": 2, "dog": 2})
    seen = [listed(tmp_path).identity]
    assert listed(tmp_path).identity == seen[0]
    os.utime(tmp_path / "cat" / "000.png", ns=(5, 5))
    seen.append(listed(tmp_path).identity)
    (tmp_path / "cat" / "000.png").rename(tmp_path / "cat" / "009.png")
    seen.append(listed(tmp_path).identity)
    (tmp_path / "dog" / "000.png").unlink()
    seen.append(listed(tmp_path).identity)
    assert len(set(seen)) == 4


def test_the_order_does_not_depend_on_the_file_system(tmp_path, image_folder, monkeypatch):
    image_folder(tmp_path, {"cat/b": 2, "cat/a": 2, "dog": 2})
    forward = listed(tmp_path)
    real = os.scandir

    @contextlib.contextmanager
    def backward(path):
        with real(path) as entries:
            yield sorted(entries, key=lambda entry: entry.name, reverse=True)

    monkeypatch.setattr(os, "scandir", backward)
    assert listed(tmp_path).ids == forward.ids


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path, image_folder):
    image_folder(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / "dog").chmod(0)
    try:
        with pytest.raises(DataError, match="dog cannot be read"):
            listed(tmp_path)
    finally:
        (tmp_path / "dog").chmod(0o700)


def test_image_files_are_found_for_prediction(tmp_path, image_folder):
    image_folder(tmp_path, {"a": 1, "b/c": 1})
    (tmp_path / "notes.txt").write_text("x")
    found = image_files(tmp_path)
    assert [(one.reason, one.count) for one in found.ignored] == [("suffix .txt", 1)]
    assert found.files == [tmp_path / "a/000.png", tmp_path / "b/c/000.png"]


def test_a_class_is_one_whichever_way_its_accents_were_typed(tmp_path, image_folder):
    composed, apart = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    folders = [f"train/{composed}", "train/tea", f"val/{apart}", "val/tea", f"test/{apart}", "test/tea"]
    image_folder(tmp_path, dict.fromkeys(folders, 3))
    listing = list_image_folder(ImageFolderData(path=tmp_path))
    assert listing.targets.categories == (composed, "tea")
    assert np.bincount(listing.targets.values).tolist() == [9, 9]
