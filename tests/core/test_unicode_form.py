import unicodedata

import pytest

from graft.core.unicode_form import alike, composed, folded, nearest, spelled_like

TYPED = [unicodedata.normalize(form, "Café") for form in ("NFC", "NFD")]


def test_both_ways_to_type_a_name_are_one():
    assert len(set(map(composed, TYPED))) == len(set(map(folded, TYPED))) == 1
    assert composed(composed(TYPED[1])) == composed(TYPED[1])


@pytest.mark.parametrize(("one", "other"), [("Straße", "STRASSE"), ("ÅNGSTRÖM", "a\u030angstro\u0308m"), ("ﬁ", "fi")])
def test_case_makes_no_difference_to_a_reader(one, other):
    assert folded(one) == folded(other)
    assert composed(one) != composed(other)


@pytest.mark.parametrize("other", ["up\u200b", "\ufeffup", " up", "\u202aup\u202c", "u\u00adp", "UP\u00a0"])
def test_what_is_not_seen_makes_no_difference_to_a_reader(other):
    assert folded(other) == folded("up")


@pytest.mark.parametrize("other", ["\U0001f44d\U0001f3fd", "\U0001f44d\u200d"])
def test_what_joins_emoji_is_seen(other):
    assert folded(other) != folded("\U0001f44d")


def test_the_nearest_name_is_found_whatever_its_case():
    assert nearest("text", ["LABEL", "TEXT "]) == "TEXT "
    assert nearest("text", ["label", "y"]) == ""


def test_spellings_stay_as_they_are_written():
    assert spelled_like(TYPED[0], ["x", TYPED[1]]) == [TYPED[1]]
    assert spelled_like(TYPED[1], TYPED) == TYPED
    assert spelled_like("y", TYPED) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("new york", "New_York"),
        ("t-shirt", "t \N{EN DASH} shirt"),
        ("cat", "\N{CYRILLIC SMALL LETTER ES}at"),
        ("HET", "\u041d\u0415\u0422"),
        ("10", "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT ZERO}"),
    ],
)
def test_one_word_may_be_typed_in_several_ways(one, other):
    assert alike(one) == alike(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("+1", "-1"), ("-a", "a"), ("c++", "c"), ("a1", "a-1"), ("A", "\N{CYRILLIC CAPITAL LETTER A}"), ("2", "\u00b2")],
)
def test_what_may_be_meant_to_differ_does(one, other):
    assert alike(one) != alike(other)
