"""Which column is for what: one answer where there is one, and a question with the choices where there are several."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from graft.core.errors import DataError
from graft.data.tables.column_facts import facts_of, share_known
from graft.data.tables.roles import Roles, decide_roles

ROWS = 24
REVIEWS = [f"I have bought number {row} of these and was glad" for row in range(ROWS)]
TITLES = [f"A long title with number {row}" for row in range(ROWS)]
WORDS = ["good", "bad", "so so"] * 8
STARS = [1.0, 3.0, 5.0] * 8
PRICES = [row * 1.25 + 3 for row in range(ROWS)]
TAGS = ["red;blue", "red", "blue;green", "green"] * 6
FILES = [f"images/{row}.png" for row in range(ROWS)]
NUMBERS = [float(row) for row in range(ROWS)]
DATES = [f"2024-01-{row + 1:02d}" for row in range(ROWS)]
DIGESTS = [f"{row:032x}" for row in range(ROWS)]
LINKS = [f"https://example.org/item/{row}" for row in range(ROWS)]
SURNAMES = [f"Surname{row}" for row in range(ROWS)]
SHORT = ["你好，世界真大"[row % 7 :] + str(row) for row in range(ROWS)]
SPLITS = ["train", "train", "val", "test"] * 6
FLAGS = [0.0, 1.0, 1.0] * 8


def roles(table: Mapping[str, Sequence[Any]], sample: str | None = None, labels: Sequence[str] = ()) -> Roles:
    columns = [facts_of(name, values, lambda text: text.endswith(".png")) for name, values in table.items()]
    return decide_roles(columns, "t.csv", sample, labels)


@pytest.mark.parametrize(
    ("table", "sample", "labels", "split"),
    [
        ({"text": REVIEWS, "label": WORDS}, "text", ["label"], None),
        ({"sentiment": WORDS, "review": REVIEWS}, "review", ["sentiment"], None),
        ({"a": REVIEWS, "b": STARS}, "a", ["b"], None),
        ({"a": REVIEWS, "b": PRICES}, "a", ["b"], None),
        ({"a": REVIEWS, "b": TAGS}, "a", ["b"], None),
        ({"a": REVIEWS, "b": [["x"], ["x", "y"]] * 12}, "a", ["b"], None),
        ({"a": REVIEWS, "b": [True, False] * 12}, "a", ["b"], None),
        ({"file": FILES, "class": WORDS}, "file", ["class"], None),
        ({"file": FILES, "caption": REVIEWS, "class": WORDS}, "file", ["class"], None),
        ({"text": REVIEWS, "label": WORDS, "split": SPLITS}, "text", ["label"], "split"),
        ({"text": REVIEWS, "red": FLAGS, "old": FLAGS, "big": FLAGS}, "text", ["red", "old", "big"], None),
        ({"d": REVIEWS, "a": [True, False] * 12, "b": FLAGS, "c": ["yes", "no"] * 12}, "d", ["a", "b", "c"], None),
        ({"text": REVIEWS, "seen": FLAGS, "label": ["yes", "no"] * 12, "old": FLAGS}, "text", ["label"], None),
        ({"id": NUMBERS, "text": REVIEWS, "stars": STARS}, "text", ["stars"], None),
        ({"Unnamed: 0": NUMBERS, "text": REVIEWS, "stars": STARS}, "text", ["stars"], None),
        ({"row": NUMBERS, "when": DATES, "text": REVIEWS, "stars": STARS}, "text", ["stars"], None),
        ({"hash": DIGESTS, "url": LINKS, "text": REVIEWS, "stars": STARS}, "text", ["stars"], None),
        ({"user_id": STARS, "text": REVIEWS, "stars": STARS}, "text", ["stars"], None),
        ({"text": REVIEWS, "toxic": FLAGS, "rude": FLAGS, "threat": FLAGS}, "text", ["toxic", "rude", "threat"], None),
        ({"name": SURNAMES, "language": WORDS}, "name", ["language"], None),
        ({"text": REVIEWS, "empty": [None] * ROWS, "constant": ["x"] * ROWS, "y": WORDS}, "text", ["y"], None),
        ({"body": REVIEWS, "title": TITLES, "label": WORDS}, "body", ["label"], None),
        ({"text": SHORT, "label": WORDS}, "text", ["label"], None),
        ({"text": [*REVIEWS[1:], None], "label": WORDS}, "text", ["label"], None),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)  # fmt: skip
def test_a_table_with_one_meaning(table: Any, sample: str, labels: list[str], split: str | None) -> None:
    found = roles(table)
    assert (found.sample, list(found.labels), found.split) == (sample, labels, split)
    assert found.is_file == (sample == "file")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            {"title": TITLES, "abstract": REVIEWS, "label": WORDS},
            "t.csv has 2 columns that may be the samples: `title`, `abstract`; name one, as in `--sample title`",
        ),
        (
            {"left": FILES, "right": FILES, "label": WORDS},
            "t.csv has 2 columns that may be the samples: `left`, `right`; name one, as in `--sample left`",
        ),
        (
            {"text": REVIEWS, "colour": WORDS, "size": STARS},
            "t.csv has 2 columns that may be the label: `colour`, `size`; name one, as in `--label colour`",
        ),
        (
            {"text": REVIEWS, "rating": STARS, "my topic": WORDS, "score": PRICES},
            "t.csv has 3 columns that may be the label: `rating`, `my topic`, `score`; name one"
            ", as in `--label rating`",
        ),
        (
            {"text": REVIEWS, "is spam": FLAGS, "is ham": FLAGS},
            "t.csv has 2 columns that may be the label: `is spam`, `is ham`; name one, as in `--label 'is spam'`",
        ),
        (
            {"text": REVIEWS, "id": NUMBERS, "when": DATES},
            "t.csv has no column that may be the label: its other columns are `id` (24 different numbers), `when` "
            "(dates, addresses, digests or names of files); a label repeats, or is a measured number: name it with "
            "--label COLUMN",
        ),
        ({"a": PRICES, "b": STARS}, "t.csv has no column of texts or of names of images (`a` (24 different numbers)"),
        ({"text": REVIEWS}, "t.csv has no column that may be the label: it has no other column"),
        ({"text": REVIEWS, "label": ["x"] * ROWS}, "its other columns are `label` (the same in every row)"),
        ({"text": REVIEWS, "label": [None] * ROWS}, "its other columns are `label` (empty)"),
        ({"text": REVIEWS, "label": [1.0, "x"] * 12}, "its other columns are `label` (mixed)"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)  # fmt: skip
def test_what_has_several_meanings_or_none_is_asked_back_in_one_line(table: Any, told: str) -> None:
    with pytest.raises(DataError) as caught:
        roles(table)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_user_names_is_taken() -> None:
    table = {"title": TITLES, "abstract": REVIEWS, "colour": WORDS, "size": STARS}
    found = roles(table, "abstract", ["size", "colour"])
    assert (found.sample, found.labels) == ("abstract", ("size", "colour"))
    assert roles({"a": SURNAMES, "b": WORDS}, sample="b", labels=["a"]).sample == "b"


def test_a_label_that_only_its_name_decides_leaves_the_others_to_be_told() -> None:
    assert roles({"text": REVIEWS, "label": WORDS, "colour": WORDS}).others == ("colour",)
    assert roles({"text": REVIEWS, "stars": STARS, "helpful": PRICES}).others == ("helpful",)


@pytest.mark.parametrize(
    "name",
    [
        "clip{}.wav",
        "a b {}.pdf",
        "'x/{}.JPG'",
        "![]({}.png)",
        "scan{}.CR2",
        "t/{}.txt",
        "<img src='{}.jpg'>",
        "p/{}.jpg?w=9",
    ],
)
def test_names_of_files_are_no_texts(name):
    with pytest.raises(DataError, match=r"`item` \(dates, addresses, digests or names of files\)"):
        roles({"item": [name.format(k) for k in range(ROWS)], "label": WORDS})


def test_lists_written_into_cells_are_labels_however_many_there_are():
    found = roles({"text": REVIEWS, "tags": [f"['a{k}', 'b{k % 3}']" for k in range(ROWS)]})
    assert found.labels == ("tags",)


@pytest.mark.parametrize(
    ("cells", "share"),
    [
        (["cat", "cat"], 1.0), (["cat", "yak"], 0.5), ([3.0, None], 1.0), ([True], 1.0), (["cat;dog"], 1.0),
        ([None], 0.0), ([["cat", "dog"], ["yak"]], 0.5), (["cafe\u0301"], 1.0),
    ],
)  # fmt: skip
def test_what_a_model_predicts_is_known_in_cells(cells, share):
    assert share_known(cells, {"cat", "dog", "3", "true", "caf\u00e9"}) == share
    assert share_known(cells, ()) is None


@pytest.mark.parametrize(
    ("columns", "label"),
    [
        ({"what": ["good"], "when": ["today"]}, "what"),
        ({"guess": ["good"], "label": ["good"]}, "label"),
        ({"when": ["today"], "label": ["strange"]}, "label"),
        ({"when": ["good", "today", "now"], "what": ["good", "bad", "odd"]}, "what"),
    ],
)
def test_the_label_of_a_model_to_score_is_what_it_predicts(columns, label):
    rows = len(next(iter(columns.values())))
    table = {"text": REVIEWS[:rows], **columns}
    known = [
        replace(facts_of(name, cells, lambda text: False), known=share_known(cells, {"good", "bad"}))
        for name, cells in table.items()
    ]
    assert decide_roles(known, "t.csv", "text", ()).labels == (label,)
