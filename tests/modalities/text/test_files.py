"""A text from a source, or one reason why not."""

import os
import pickle
from pathlib import Path

import pytest

from graft.data.read import Unreadable
from graft.modalities.text.files import InlineText, TextFile, decoded


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \n\t\xe2\x80\x83", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"a\0b", "holds NUL characters, so it is not a text"),
        (b"caf\xe9", "is not UTF-8 text (byte 4 is 0xe9); set data.encoding, such as cp1252"),
        (b"\xed\xa0\x80", "is not UTF-8 text (byte 1 is 0xed); set data.encoding, such as cp1252"),
    ],
)
def test_what_is_no_text_has_a_reason(content: bytes, told: str) -> None:
    with pytest.raises(Unreadable) as raised:
        InlineText()(content)
    assert str(raised.value) == told


def test_a_file_has_an_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"caf\xe9")
    reader: TextFile = pickle.loads(pickle.dumps(TextFile("cp1252")))
    assert reader(os.fsencode(path)) == "café"
    with pytest.raises(Unreadable, match="is not UTF-8 text"):
        TextFile()(os.fsencode(path))
    with pytest.raises(Unreadable, match="is not cp1252 text"):
        decoded(b"\x81", "cp1252")
    with pytest.raises(Unreadable, match="is not punycode text"):
        decoded(b"\xff\xff", "punycode")
