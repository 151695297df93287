import pytest

from graft.modalities.text.checks.characters import (
    has_invisible,
    has_look_alikes,
    is_damaged,
    with_encoding_repaired,
    with_latin_letters,
    without_invisible,
)

HOSTILE_LENGTH = 400_000


@pytest.mark.parametrize(
    "text",
    ["via\u200bgra", "a\x00b", "\u202eevil", "soft\u00adhyphen", "\ufeffx", "a\U000e0041b", "in\u200dside", "a\x1b"],
)
def test_invisible_characters_are_seen_and_removed(text: str) -> None:
    assert has_invisible(text)
    assert not has_invisible(without_invisible(text))
    assert without_invisible("via\u200bgra") == "viagra"


@pytest.mark.parametrize("text", ["plain\ttext\r\n", "مى\u200cخواهم", "👩\u200d👩\u200d👧", "naïve café", "क\u200dष"])
def test_writing_that_needs_joiners_is_left_alone(text: str) -> None:
    assert not has_invisible(text)
    assert without_invisible(text) == text


@pytest.mark.parametrize("text", ["viаgrа", "ｖｉａｇｒａ", "раypal", "Αpple", "𝐟𝐫𝐞𝐞", "w1n сa$h pеr day"])
def test_look_alikes_are_seen(text: str) -> None:
    assert has_look_alikes(text)


@pytest.mark.parametrize("text", ["plain", "Привет, мир", "naïve café", "Δt in μm, kΩ", "日本語（全角）！", "Ελληνικά"])
def test_other_scripts_are_no_look_alikes(text: str) -> None:
    assert not has_look_alikes(text)
    assert with_latin_letters(text) == text


def test_look_alikes_become_latin_letters() -> None:
    assert with_latin_letters("buy viаgrа аnd рау") == "buy viagra and pay"
    # Words of look-alikes alone stay where there is text that is really of the other script.
    assert with_latin_letters("оса is a wasp in русский") == "оса is a wasp in русский"


def test_damage_is_seen_and_undone() -> None:
    assert is_damaged("fÃ¼r")
    assert with_encoding_repaired("fÃ¼r") == "für"
    assert is_damaged("lost \ufffd letter")
    assert not is_damaged("für naïve “quotes” — ok")


@pytest.mark.parametrize("letter", ["a", "а", "\u200b", "aа", "1а", "<", "é", "&", "@"])
def test_a_word_without_an_end_takes_no_square_of_its_length(letter: str) -> None:
    # By a square of its length each of these would take hours.
    text = letter * (HOSTILE_LENGTH // len(letter))
    assert has_invisible(text) == (letter == "\u200b")
    assert has_look_alikes(text) == (letter == "aа")
    assert len(with_latin_letters(text)) == len(text)
