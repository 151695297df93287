import pytest

from graft.data.splits.names import split_and_rest, split_of, split_within


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", ["train", "Train", "TRAINING", "trn", "train_images", "Training Set", "train2017", "trainset"]),
        ("validation", ["val", "valid", "Validation", "dev", "val2017", "valset", "dev.data", "val_img"]),
        ("test", ["test", "testing", "tst", "eval", "Evaluation", "holdout", "hold-out", "testdata", "ｔｅｓｔ"]),
        (None, ["cat", "extra", "", "2017", "data", "images", "devices", "testicle", "train_station"]),
    ],
)  # fmt: skip
def test_what_splits_are_called(split, names):
    assert {name: split_of(name) for name in names} == dict.fromkeys(names, split)


def test_a_name_may_speak_of_a_split_among_other_things():
    assert split_within("seg_train") == "train"
    assert split_within("my-test-2") == "test"
    assert split_within("contest") is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("train_cats", ("train", "cats")),
        ("testA", ("test", "a")),
        ("new york - val", ("validation", "new york")),
        ("train", None),
        ("contest_a", None),
        ("a_train_b", None),
    ],
)
def test_a_name_may_hold_a_split_and_a_class(name, parts):
    assert split_and_rest(name) == parts
