import pytest

from graft.modalities.text.checks.markup import has_markup, without_markup


@pytest.mark.parametrize("text", ["a <b>bold</b> word", "x<br/>y", 'see <a href="x">this</a>', "Tom &amp; Jerry"])
def test_markup_is_seen_and_removed(text: str) -> None:
    assert has_markup(text)
    assert not has_markup(without_markup(text))


@pytest.mark.parametrize("text", ["a < b and c > d", "#include <stdio.h>", "mail <me@example.org>", "R&D; Q&A"])
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert not has_markup(text)
    assert without_markup(text) == text


def test_what_is_hidden_in_a_page_goes() -> None:
    text = "<style>p {}</style><p>Hello <i>there</i></p><script>steal()</script>"
    assert without_markup(text).split() == ["Hello", "there"]
