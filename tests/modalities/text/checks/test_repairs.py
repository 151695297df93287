"""Repairs are the same at ingest and at prediction."""

from collections.abc import Callable
from typing import get_args

import pytest
from tests.assets.planted.texts import with_full_width, with_look_alikes, with_zero_width

from graft.data.read import Unreadable
from graft.modalities.text.checks.repairs import REPAIRS, repaired
from graft.modalities.text.decode import TextDecoder
from graft.modalities.text.files import InlineText, usable
from graft.modalities.text.modality import Texts
from graft.spec.modalities.text import Repair, TextPreprocessing

HOSTILE = "Buy\u200b ｖｉａｇｒａ, viаgrа &amp; more f\u00c3\u00bcr you"


def test_every_repair_of_a_job_is_there() -> None:
    assert set(REPAIRS) == set(get_args(Repair))


def test_all_repairs_together() -> None:
    assert repaired(HOSTILE, REPAIRS) == "Buy viagra, viagra & more für you"
    assert repaired(HOSTILE, ()) == HOSTILE


def test_repairs_are_idempotent_and_of_one_order() -> None:
    once = repaired(HOSTILE, ("homoglyph", "encoding", "markup", "invisible_characters"))
    assert once == repaired(once, REPAIRS) == repaired(HOSTILE, REPAIRS)


def test_plain_text_is_left_as_it_is() -> None:
    for text in ("plain", "Привет, мир", "naïve café — “quoted”", "日本語", "👩\u200d👩\u200d👧 emoji", "a < b"):
        assert repaired(text, REPAIRS) == text


def test_ingest_stores_what_prediction_sees() -> None:
    decoder = TextDecoder(InlineText(), 10_000, 16, (), tuple(REPAIRS))
    block = decoder([HOSTILE.encode(), b"plain"])
    stored = [bytes(one).decode() for one in block.columns["text"]]
    assert stored == [usable(HOSTILE, tuple(REPAIRS)), "plain"]
    # Findings are of the text as it came.
    assert block.signs["homoglyph"].tolist() == [True, False]


def test_what_is_empty_after_repairs_is_left_out() -> None:
    block = TextDecoder(InlineText(), 100, 16, (), ("markup",))([b"<br><p></p>", "\u200b\u200b".encode(), b"  "])
    assert block.kinds == {0: "empty_text", 1: "empty_text", 2: "empty_text"}
    with pytest.raises(Unreadable, match="is empty"):
        usable("<br>", ("markup",))


def test_a_bundle_says_what_is_repaired() -> None:
    given = dict(tokenizer="x", tokenizer_of="b", column="c", max_tokens=8, pad_token=0, inputs=("input_ids",))
    assert TextPreprocessing(**given).repairs == ()
    told = TextPreprocessing(**given, repairs=("homoglyph",)).model_dump(mode="json")
    assert TextPreprocessing.read_stored(told).repairs == ("homoglyph",)
    assert Texts().name == "text"


@pytest.mark.parametrize("attack", [with_look_alikes, with_zero_width, with_full_width])
def test_attacks_are_undone(attack: Callable[[str], str]) -> None:
    text = "Copy this: cheap examples about space, phones & paper; 20 of them for Xavier"
    assert attack(text) != text
    assert repaired(attack(text), REPAIRS) == text
