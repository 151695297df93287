import os

import pytest

from graft.core.escaping import escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("one\ngraft: done", r"one\ngraft: done"),
        ("a\rb", r"a\rb"),
        ("a\tb\x0bc\x0cd\x08e\x7f", r"a\tb\x0bc\x0cd\x08e\x7f"),
        ("cat\u202egnp.exe", r"cat\u202egnp.exe"),
        ("\u2066a\u2069\u200eb\u200fc\u061c", r"\u2066a\u2069\u200eb\u200fc\u061c"),
        ("zero\u200bwidth\ufeff soft\u00adhyphen", r"zero\u200bwidth\ufeff soft\xadhyphen"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("tag\U000e0041", r"tag\U000e0041"),
        (os.fsdecode(b"caf\xe9.png"), r"caf\udce9.png"),
    ],
)
def test_what_cannot_be_seen_is_an_escape(text, shown):
    assert escaped(text) == shown
    assert escaped(text).isprintable()
    assert escaped(text).encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "naïve café",
        "数字",
        "می‌خواهم",
        "👩‍🔬",
        "[red]x[/red]",
        "$x$ a_b \\alpha",
        "a\u00a0b",
        "Ω̃",
        "C:\\new",
    ],
)
def test_what_can_be_seen_stays(text):
    assert escaped(text) == text
