"""What folders mean: every sample that has been read wrongly somewhere, for images and for texts."""

import re
from pathlib import Path

import pytest

from graft.core.errors import DataError
from graft.data.folders.label_names import check_label_names
from graft.data.folders.meaning import Meaning, meaning_of
from graft.data.folders.paths import SampleFiles
from graft.data.folders.walk import walk
from graft.modalities.image.file_names import IMAGE_FILES
from graft.modalities.text.file_names import TEXT_FILES
from graft.spec.modalities.image import ImageFolderData
from graft.spec.yaml_text import read_yaml

KINDS = [pytest.param(IMAGE_FILES, ".png", id="images"), pytest.param(TEXT_FILES, ".txt", id="texts")]


def read(root: Path, samples: SampleFiles, layout="auto", ignore=()) -> Meaning:
    return meaning_of(walk(root, samples, ignore), samples, layout)


def learned(root: Path, samples: SampleFiles) -> None:
    """As it is read to learn from: one class is enough only to score a model by."""
    found = read(root, samples)
    check_label_names(found.labels, "data", found.alone)


def sizes(meaning: Meaning) -> dict[str, dict[str | None, int]]:
    found: dict[str, dict[str | None, int]] = {label: {} for label in meaning.labels}
    for group in meaning.groups:
        found[group.label][group.split] = group.folder.count
    return found


def both(*splits: str, labels=("cat", "dog")) -> list[str]:
    return [f"{split}/{label}/%S*3" for split in splits for label in labels]


PLAIN = ["cat/%S*3", "dog/%S*3"]

UNDERSTOOD = {
    "classes": (PLAIN, {"cat": {None: 3}, "dog": {None: 3}}),
    "deeper": (["cat/a/%S*3", "cat/b/c/%S", "dog/%S*3"], {"cat": {None: 4}, "dog": {None: 3}}),
    "Training, Testing": (
        both("Training", "Testing"),
        {"cat": {"train": 3, "test": 3}, "dog": {"train": 3, "test": 3}},
    ),
    "train, dev": (both("train", "dev"), {label: {"train": 3, "validation": 3} for label in ("cat", "dog")}),
    "TRN, Valid, TST": (
        both("TRN", "Valid", "TST"),
        {label: {"train": 3, "validation": 3, "test": 3} for label in ("cat", "dog")},
    ),
    "train2017, val2017": (
        both("train2017", "val2017"),
        {label: {"train": 3, "validation": 3} for label in ("cat", "dog")},
    ),
    "train_images, hold-out": (
        both("train_images", "hold-out"),
        {label: {"train": 3, "test": 3} for label in ("cat", "dog")},
    ),
    "lists of names beside the classes of a split": (
        [*both("train", "test"), "train/urls.txt", "train/%S", "test/%S*2"],
        {label: {"train": 3, "test": 3} for label in ("cat", "dog")},
    ),
    "train alone": (both("train"), {label: {"train": 3} for label in ("cat", "dog")}),
    "a train station beside a test tube": (
        ["train station/%S*3", "test tube/%S*3"],
        {"train station": {None: 3}, "test tube": {None: 3}},
    ),
    "what is known to be unknown": (["cat/%S*3", "unknown/%S*3"], {"cat": {None: 3}, "unknown": {None: 3}}),
    "a train beside a bus": (
        ["bus/%S*3", "train/%S*3", "train/steam/%S"],
        {"bus": {None: 3}, "train": {None: 4}},
    ),
    "what is no split holds nothing": (
        [*both("train", "test"), "labels/a.xml", "docs/"],
        {label: {"train": 3, "test": 3} for label in ("cat", "dog")},
    ),
    "two ways to write é": (
        ["train/caf\u00e9/%S*3", "train/dog/%S*3", "test/cafe\u0301/%S*3", "test/dog/%S*3"],
        {"caf\u00e9": {"train": 3, "test": 3}, "dog": {"train": 3, "test": 3}},
    ),
}


@pytest.mark.parametrize(("samples", "suffix"), KINDS)
@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_has_one_reading_is_read_so(grow, samples, suffix, name):
    items, expected = UNDERSTOOD[name]
    assert sizes(read(grow(*(item.replace("%S", f"%{suffix}") for item in items)), samples)) == expected


AS_CLASSES = "write data.layout: classes"
REFUSED = {
    "an extra folder": ([*both("train", "test"), "extra/x/%S"], r"data.ignore: \[extra\]", AS_CLASSES),
    "samples in an extra folder": ([*both("train", "test"), "extra/%S"], "beside extra", AS_CLASSES),
    "splits without classes": (["train/%S*3", "test/%S*3", "extra/%S"], "sort its", "kind: table", AS_CLASSES),
    "two classes called as splits": (["train/%S*3", "test/%S*3"], "named as splits", AS_CLASSES),
    "one class called as a split": (["train/%S*3"], "named as a split", AS_CLASSES),
    "no training folder": (both("val", "test"), "none for training", "the folder train is missing", AS_CLASSES),
    "one split that trains nothing": (both("test"), r"write data.path: .*/data/test", "put a folder train beside it"),
    "a split beside classes": ([*PLAIN, *both("test")], "cat and dog are for training", AS_CLASSES),
    "two for validation": (both("train", "val", "dev"), "dev and val, but must have one for validation"),
    "two for training": (both("train1", "train2"), "train1 and train2, but must have one for train"),
    "an unsorted test set": ([*both("train"), "test/%S*3"], "test holds", "directly", r"data.ignore: \[test\]"),
    "a class that test lacks": (
        [*both("train", "test"), "train/unsup/%S*3"],
        "`unsup` in train, but not for test",
        "write data.layout: splits",
        r"data.ignore: \[unsup\]",
    ),
    "a class that train lacks": ([*both("train", "test"), "test/owl/%S"], "the class `owl` for validation or test"),
    "a class in another case": (both("train") + both("test", labels=("cat", "Dog")), "there it is `dog`"),
    "nearly splits": (both("seg_train/x", "seg_test/x"), "rename them to train, val and test", AS_CLASSES),
    "one level too high": (both("pets"), r"classes cat and dog: write data.path: .*/data/pets"),
    "beside annotations": ([*both("images"), "annotations/%.xml*3"], r"write data.path: .*/data/images"),
    "two levels too high": (both("a/pets"), r"write data.path: .*/data/a/pets"),
    "too high above splits": (both("a/train", "a/test"), r"splits test and train: write data.path: .*/data/a$"),
    "a wrapped split": (both("train/train", "test/test"), "train in the folder train only|must hold the classes cat"),
    "days": (both("day1", "day2"), "each with `cat` and `dog` in it", r"data.path: .*/day1", AS_CLASSES),
    "classes of classes": (
        [*both("animals"), *both("plants", labels=("oak", "rose"))],
        "there are 2 classes",
        "there are 4, one level deeper",
        AS_CLASSES,
    ),
    "classes named with their split": (
        ["train_cats/%S*3", "train_dogs/%S*3", "test_cats/%S*3", "test_dogs/%S*3"],
        "cats and dogs are the classes",
        "into folders train, val and test",
        AS_CLASSES,
    ),
    "letters behind splits": (
        ["trainA/%S*3", "trainB/%S*3", "testA/%S*3", "testB/%S*3"],
        "each with a split in its name: either a and b are the classes",
        AS_CLASSES,
    ),
    "not labelled": (
        [*PLAIN, "Un-labeled/%S*3"],
        r"nobody has labelled them .*data.ignore: \[Un-labeled\]",
        AS_CLASSES,
    ),
    "not sorted, in a split": (
        [*both("train", "test"), "train/unsorted/%S*3", "test/unsorted/%S"],
        "/unsorted has the name of samples without a label",
        "write data.layout: splits",
    ),
    "splits inside classes": (both("cat", "dog", labels=("train", "test")), "splits lie inside", AS_CLASSES),
    "more of the same": ([*PLAIN, *both("augmented")], "it holds more of the same classes", AS_CLASSES),
    "a container beside masks": ([*both("images"), "masks/%S*3"], r"data.path: .*/data/images", AS_CLASSES),
    "a copy by Windows": ([*PLAIN, "dog (1)/%S"], "named as a copy of dog", AS_CLASSES),
    "a copy by macOS": ([*PLAIN, "dog copy/%S"], "named as a copy of dog", AS_CLASSES),
    "augmented": ([*PLAIN, "dog_augmented/%S"], "named as a copy of dog", AS_CLASSES),
    "a backup": ([*PLAIN, "dog.bak/%S"], "named as a copy of dog", AS_CLASSES),
    "a folder that was never named": ([*PLAIN, "New folder (2)/%S"], "a system gives to a new folder", AS_CLASSES),
    "thumbnails": ([*PLAIN, "dog/thumbs/%S"], "of the same names", r"data.ignore: \[thumbs\]", AS_CLASSES),
    "names but for a space": ([*PLAIN, "dog /%S"], "must differ in more than spaces"),
    "one folder of samples among others": (
        ["JPEGImages/%S*3", "Annotations/a.xml"],
        r"Annotations is empty \(its 1 files",
    ),
    "splits below a folder": (
        ["images/train/%S*2", "images/val/%S*2"],
        r"splits train and val: write data.path: .*/images",
    ),
    "train in two cases": (both("train", "Train", "test"), "Train and train, but must have one for train"),
    "as many beside as in a class": ([*PLAIN, "%S*3"], "3 .* beside the folders cat and dog", r"data.ignore: \['/\*"),
    "a dangling class": ([*PLAIN, "owl->/gone/owl"], "owl is a link to something that is not there", "restore"),
    "a dangling split": ([*both("train"), "test->/gone"], "test is a link to something", r"data.ignore: \[test\]"),
    "a dangling class in a split": ([*both("train", "test"), "train/owl->/gone"], "train/owl is a link to something"),
    "one class twice": ([*PLAIN, "kitty->cat"], "kitty and .*cat are the same folder", r"data.ignore: \[/kitty\]"),
    "a class in another": ([*PLAIN, "cat/more->../dog"], "the same folder", r"data.ignore: \[/cat/more\]"),
    "one split twice": (
        [*both("train"), "test->train"],
        "the same folder, so its .* would be in two classes or splits",
    ),
    "one name twice": (["caf\u00e9/%S", "cafe\u0301/%S", "dog/%S"], "twice, its name written with"),
    "one name in two cases": (["Dog/%S", "dog/%S"], "the classes `Dog` and `dog`, but names must differ in more"),
    "an empty class": ([*PLAIN, "owl/"], "owl is empty; add", r"data.ignore: \[owl\]"),
    "a class of links to nothing": ([*PLAIN, "owl/a%S->/gone"], "links to nothing"),
    "a class of hidden files": ([*PLAIN, "owl/.a%S"], "owl is empty"),
    "one class": (["cat/%S*3"], r"1 class \(cat\), but needs at least 2"),
    "a table of labels": (["labels.csv", "pictures/%S*3"], "labels.csv says what they are", "kind: table"),
    "nothing": ([], "holds no", "check the path"),
    "masks of the same names": (
        ["images/%S*4", "masks/%S*4"],
        "what lies in masks is drawn over",
        r"data.ignore: \[masks\]",
        AS_CLASSES,
    ),
    "an archive": (["data.zip"], "suffix .zip: 1", "unpack data.zip"),
    "another kind of file": (["cat/a.mp4", "dog/b.mp4"], "suffix .mp4: 2", "holds no"),
}


@pytest.mark.parametrize(("samples", "suffix"), KINDS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_has_two_readings_or_none_is_refused_with_them(grow, samples, suffix, name):
    items, *told = REFUSED[name]
    root = grow(*(item.replace("%S", f"%{suffix}").replace(".txt", suffix) for item in items))
    with pytest.raises(DataError) as refused:
        learned(root, samples)
    assert len(str(refused.value).splitlines()) == 1
    for part in told:
        with pytest.raises(DataError, match=part):
            raise refused.value


LABELS_BESIDE = {
    "COCO beside one folder": (["images/%.png*3", "a.json"], r"if a.json holds annotations of COCO, write data"),
    "CVAT beside one folder": (["images/%.png*3", "a.xml"], r"as in a.xml \(Pascal VOC, CVAT\) are not read"),
    "Pascal VOC": (["JPEGImages/%.png*3", "Annotations/%.xml*3"], r"leave it out .*as in Annotations/0.xml \(Pascal"),
    "YOLO": (["images/%.png*3", "labels/%.txt*3"], r"leave it out .* labels as in labels/0.txt \(YOLO\) are not"),
    "YOLO in one folder": (["%.png*3", "%.txt*3"], r"sort them into such folders, .*as in 0.txt \(YOLO\) are not"),
    "a workbook": (["%.png*3", "labels.xlsx"], r"if labels.xlsx says what they are, save its sheet as CSV, and write"),
    "splits": (["train/%.png*3", "val/%.png*3", "a.json"], r"kind: table, …}; if a.json holds annotations of COCO"),
}


@pytest.mark.parametrize("name", LABELS_BESIDE)
def test_labels_of_other_programs_are_told(grow, name):
    items, told = LABELS_BESIDE[name]
    with pytest.raises(DataError, match=told):
        learned(grow(*items), IMAGE_FILES)


@pytest.mark.parametrize("names", [("images", "masks"), ("cat", "dog"), ("mask", "face")])
def test_masks_are_told_from_classes(grow, names):
    count = {"masks": 5, "images": 4}
    root = grow(*(f"{name}/%.png*{count.get(name, 2)}" for name in names))
    assert set(sizes(read(root, IMAGE_FILES))) == set(names)


def test_what_is_empty_is_told_where_nothing_else_is_there(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / "cat").mkdir(exist_ok=True)
        (tmp_path / "cat" / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"holds no images, .* \(left out: empty file: 2 \(cat/a.png, cat/b.png\)\)"):
        read(tmp_path, IMAGE_FILES)


def test_the_job_says_which_reading_is_meant(grow):
    root = grow(*(item.replace("%S", "%.png") for item in both("train", "test")), "extra/x/%.png*3")
    assert set(sizes(read(root, IMAGE_FILES, ignore=["extra"]))) == {"cat", "dog"}
    assert set(sizes(read(root, IMAGE_FILES, layout="classes"))) == {"extra", "test", "train"}
    with pytest.raises(DataError, match=r"extra is no split by its name, but data.layout is splits"):
        read(root, IMAGE_FILES, layout="splits")


def test_splits_may_differ_in_their_classes_if_the_job_says_so(grow):
    root = grow("train/a/%.png*2", "train/b/%.png*2", "test/b/%.png")
    assert sizes(read(root, IMAGE_FILES, layout="splits")) == {"a": {"train": 2}, "b": {"train": 2, "test": 1}}


def test_a_path_one_level_too_low_is_told_the_right_one(grow):
    parent = grow("cat/%.png*3", "dog/%.png*3", "empty/").parent
    with pytest.raises(DataError, match=rf"classes cat and dog lie one level higher: write data.path: {parent}/data$"):
        read(parent / "data" / "cat", IMAGE_FILES)
    grow("train/cat/%.png", "train/dog/%.png", root=parent / "split")
    with pytest.raises(DataError, match=rf"lie in {parent}/split/train: write data.path: {parent}/split for this and"):
        read(parent / "split" / "train" / "cat", IMAGE_FILES)


def test_a_few_samples_beside_the_classes_are_left_out_and_told(grow):
    root = grow("cat/%.png*3", "dog/%.png*3", "banner.png", "README")
    (found,) = read(root, IMAGE_FILES).ignored
    assert (found.reason, found.count, found.examples) == ("outside the class folders", 2, ("README", "banner.png"))


NAMES = [
    "extra",
    "extra: 2",
    "a, b [old]",
    "2019",
    "1e3",
    "#x",
    "null",
    "it's",
    "star*",
    "-",
    " ",
    "what?",
    "\udcff",
    "a\nb",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_message_says_to_leave_out_is_left_out_if_it_is_written_so(grow, name):
    root = grow(*(item.replace("%S", "%.png") for item in both("train", "test")))
    (root / name / "cat").mkdir(parents=True)
    (root / name / "cat" / "0.png").write_text("x")
    with pytest.raises(DataError, match="to be left out") as refused:
        read(root, IMAGE_FILES)
    advice = re.search(r"data.ignore: (\[.*\])\), or", str(refused.value))
    assert advice is not None
    ignore = read_yaml(f"ignore: {advice[1]}").data["ignore"]
    assert ImageFolderData.model_validate({"kind": "image_folder", "path": str(root), "ignore": ignore}).ignore
    assert set(sizes(read(root, IMAGE_FILES, ignore=ignore))) == {"cat", "dog"}


def test_a_path_that_a_message_names_can_be_written_so(grow, tmp_path):
    root = grow("my pets: #1/cat/%.png*3", "my pets: #1/dog/%.png*3")
    with pytest.raises(DataError) as refused:
        read(root, IMAGE_FILES)
    advice = str(refused.value).partition("write ")[2]
    assert read_yaml(advice).data == {"data.path": f"{root}/my pets: #1"}
