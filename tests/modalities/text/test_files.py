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


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04\x14\0\x06\0", r"is a zip archive or an office document \(.docx, .xlsx\), but must be plain text"),
        (b"%PDF-1.7\n%\xe2\xe3", "is a PDF, but must be plain text; save it as .txt"),
        (b"{\\rtf1\\ansi Hello}", "is rich text, but must be plain text"),
        (b"\x89PNG\r\n\x1a\n", "is a picture, but must be plain text"),
        ("\ufeffa text".encode("utf-16-le"), "is UTF-16 text, but data.encoding is utf-8; set data.encoding: utf-16"),
        (b"0 0.5 0.25 0.1 0.1\n", "holds boxes of objects as YOLO writes them"),
    ],
)
def test_a_file_that_is_only_called_a_text_has_a_reason(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=told):
        TextFile()(os.fsencode(path))


def test_a_text_of_utf_16_is_read_if_the_job_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a text", encoding="utf-16")
    assert TextFile("utf-16")(os.fsencode(tmp_path / "a.txt")) == "a text"
