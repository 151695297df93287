import json
from dataclasses import fields

import pytest

from graft.data.feature_store.key import FORMAT, FeatureKey, View

OTHER = {
    "data_fingerprint": "e", "split": "test", "preprocessing": "[]", "view": View(0, "flip", 0),
    "weights_digest": "v", "backbone": "other", "cut": 4, "dtype": "float16",
}  # fmt: skip


def test_every_field_makes_another_directory(make_key):
    assert set(OTHER) == {field.name for field in fields(FeatureKey)}
    digests = {make_key(**{name: value}).digest() for name, value in OTHER.items()}
    assert len(digests | {make_key().digest()}) == len(OTHER) + 1


@pytest.mark.parametrize("change", [{"index": 1}, {"policy": "crop"}, {"seed": 1}])
def test_every_part_of_a_view_makes_another_directory(make_key, change):
    view = {"index": 0, "policy": "flip", "seed": 0}
    assert make_key(view=View(**view)).digest() != make_key(view=View(**{**view, **change})).digest()


def test_equal_keys_have_one_digest_in_hex(make_key):
    assert make_key().digest() == make_key().digest()
    assert len(make_key().digest()) == 64
    assert json.loads(make_key().canonical())["format"] == FORMAT


@pytest.mark.parametrize("view", [None, View(2, "flip", 7)])
def test_a_key_survives_json(make_key, view):
    key = make_key(view=view, dtype="bfloat16")
    assert FeatureKey.from_json(json.loads(json.dumps(key.to_json()))) == key


@pytest.mark.parametrize(("field", "value"), [("cut", -1), ("dtype", "float64")])
def test_what_cannot_be_is_refused(make_key, field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}, but must be"):
        make_key(**{field: value})


def test_views_are_counted_from_zero():
    with pytest.raises(ValueError, match="view is -1, but must be >= 0"):
        View(-1, "flip", 0)
