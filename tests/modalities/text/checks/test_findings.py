from dataclasses import replace

import numpy as np
import pytest
from tests.fixtures.examined import examined_of

from graft.data.columns import Ragged
from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.doctor.examiner import found_by_kind
from graft.modalities.text.checks.signs import text_signs

LONG = " ".join(f"word{number}" for number in range(60))


def other(number: int) -> str:
    """A text that is like none of another number."""
    return " ".join(f"{number * 7919 + word * 104729:x}" for word in range(60))


def examined(texts: list[str]) -> Examined:
    base = examined_of("text", len(texts))
    column = Ragged.of([np.frombuffer(text.encode(), np.uint8) for text in texts], "uint8")
    digests = np.array([f"{hash(text):x}" for text in texts], dtype=object)
    return replace(base, columns={"text": column}, signs=dict(text_signs(texts, texts)), digests=digests, _derived={})


def found(texts: list[str]) -> dict[str, Found]:
    return {one.kind: one for one in found_by_kind(examined(texts))}


def test_each_kind_is_found_where_it_is() -> None:
    texts = [f"sentence number {number} about {'abcdefghij'[number % 10] * 9}" for number in range(60)]
    texts[3], texts[5], texts[7], texts[9] = "fÃ¼r alle", "in\u200bvisible ink", "viаgrа", "a <b>bold</b> claim"
    texts[11], texts[13] = "write to jane@example.org, bob@example.org", "call +49 30 1234567"
    texts[15] = LONG * 100
    told = found(texts)
    rows = {kind: one.rows.tolist() for kind, one in told.items()}
    assert rows["encoding"] == [3]
    assert rows["invisible_characters"] == [5]
    assert rows["homoglyph"] == [7]
    assert rows["markup"] == [9]
    assert rows["outlier"] == [15]
    assert rows["personal_data"] == [11, 13]
    assert told["personal_data"].detail == "2 e-mail addresses, 1 telephone number"


def test_personal_data_is_never_shown() -> None:
    told = found(["write to jane@example.org"] * 3)["personal_data"]
    assert "jane" not in repr(told)


def test_near_copies_are_told_apart_from_copies() -> None:
    texts = [other(number) for number in range(20)]
    texts[10], texts[15] = LONG, LONG  # same split by the fixture: 0 and 0
    texts[5] = LONG.replace("word7 ", "")
    told = found(texts)
    assert told["duplicate"].rows.tolist() == [15]
    assert told["near_duplicate"].rows.tolist() == [10]
    assert told["near_duplicate"].reasons[10].startswith("is almost a copy of")


def test_near_copies_come_to_one_side_of_a_split() -> None:
    texts = [other(number) for number in range(20)]
    texts[0], texts[4] = LONG, LONG + " again"  # training and test
    told = found(texts)["split_leak"]
    assert told.splits is not None
    assert told.splits[0] == told.splits[4]


@pytest.mark.parametrize("count", [0, 1, 49])
def test_of_few_texts_no_length_is_odd(count: int) -> None:
    assert "outlier" not in found(["x", *["a sentence of usual length"] * 60][:count])
