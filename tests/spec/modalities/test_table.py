"""A table has samples of one modality, and the settings of no other."""

import pytest

from graft.core.errors import SpecError
from graft.spec.load import parse_job
from graft.spec.modalities.table import TableData

TABLE = {"kind": "table", "path": "a.csv", "label": "y"}


def data_of(**keys: object) -> TableData:
    data = parse_job({"name": "x", "data": {**TABLE, **keys}}).data
    assert isinstance(data, TableData)
    return data


def test_the_column_of_the_samples_says_the_modality() -> None:
    texts, photos = data_of(text="review"), data_of(image="file", label=["x", "y"])
    assert (texts.modality, texts.labels) == ("text", ("y",))
    assert (photos.modality, photos.labels) == ("image", ("x", "y"))
    assert set(texts.decoding()) == {"encoding", "max_characters"}
    assert set(photos.decoding()) == {"max_pixels"}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "data: has no column of samples; name one, as `text: COLUMN` or `image: COLUMN`"),
        (
            {"text": "a", "group": "g", "time": "t"},
            "data.split_by: must say what decides about the splits, for `group`",
        ),
        ({"text": "a", "split_by": "time"}, "data.split_by: is time, but no column is; name one, as `time: COLUMN`"),
        ({"text": "a", "group": "g", "split_by": "label"}, "data.split_by: is label, which would put samples of a"),
        ({"text": "a", "image": "b"}, "data.image: is named beside `text`, but the samples must be of one modality"),
        ({"text": "a", "flip": "both"}, "data.flip: is a setting of images, but the samples are in the column `text`"),
        ({"image": "a", "max_characters": 9}, "data.max_characters: is a setting of texts"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_told(keys: dict[str, object], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        data_of(**keys)
    assert told in str(caught.value)
    assert len(caught.value.problems) == 1


def test_what_was_written_is_read_again() -> None:
    for spec in (data_of(text="review"), data_of(image="file", flip="horizontal", max_pixels=99)):
        assert TableData.read_stored(spec.model_dump(mode="json")) == spec
