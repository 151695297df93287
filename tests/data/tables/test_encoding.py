"""Lines that no table has are found while the file is read for the first time, and named."""

import pytest

from graft.core.errors import DataError
from graft.data.tables import encoding as module
from graft.data.tables.encoding import check_encoding, wide_encoding_of
from graft.data.tables.samples import read_samples


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_a_line_of_a_hundred_megabytes_is_named(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    with path.open("wb") as stream:
        stream.write(b"image\nb\n" if suffix != ".jsonl" else b'{"image": "b"}\n{}\n')
        stream.write(b"x" * 100_000_000)
    with pytest.raises(DataError, match="line 3 is longer than 64 MiB, but no sample is; is it the right file"):
        read_samples(path, ("image",), "utf-8")


def test_lines_are_measured_across_the_pieces_they_are_read_in(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 10)
    monkeypatch.setattr(module, "MAX_LINE_BYTES", 25)
    (tmp_path / "a.csv").write_bytes(b"x" * 25 + b"\n" + b"y" * 24 + b"\n")
    check_encoding(tmp_path / "a.csv", "utf-8")
    (tmp_path / "a.csv").write_bytes(b"x\n" * 8 + b"y" * 40 + b"\n")
    with pytest.raises(DataError, match="line 9 is longer"):
        check_encoding(tmp_path / "a.csv", "utf-8")


def test_many_columns_are_not_all_named(tmp_path):
    (tmp_path / "a.csv").write_text(",".join(f"c{index}" for index in range(50_000)) + "\n")
    with pytest.raises(DataError) as raised:
        read_samples(tmp_path / "a.csv", ("image",), "utf-8")
    assert len(str(raised.value)) < 1000
    assert "`c19` and 49980 more" in str(raised.value)


def test_nested_json_is_told_with_its_line(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"image": "a"}\n{"image": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    with pytest.raises(DataError, match=r"line 2 is no JSON .it is nested too deeply."):
        read_samples(tmp_path / "a.jsonl", ("image",), "utf-8")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("content", ["text,label\na,b\n", "文字,標籤\n" + "這是一部好電影,好\n" * 9])
def test_utf_16_without_its_mark_is_told_from_text_with_nul(encoding, content, tmp_path):
    (tmp_path / "a.csv").write_bytes(content.encode(encoding))
    assert wide_encoding_of(tmp_path / "a.csv") == encoding
    if content.isascii():  # of other letters the first byte may be none of UTF-8
        with pytest.raises(DataError, match=f"looks like UTF-16 .* but data.encoding is utf-8; set .*: {encoding}"):
            check_encoding(tmp_path / "a.csv", "utf-8")
    (tmp_path / "a.csv").write_bytes(b"text,label\na\0b,c\n")
    assert not wide_encoding_of(tmp_path / "a.csv")
    with pytest.raises(DataError, match="line 2 holds a NUL character"):
        check_encoding(tmp_path / "a.csv", "utf-8")


@pytest.mark.parametrize("encoding", ["utf-32", "utf-16"])
def test_a_mark_names_the_encoding(encoding, tmp_path):
    (tmp_path / "a.csv").write_bytes("text,label\na,b\n".encode(encoding))
    assert wide_encoding_of(tmp_path / "a.csv") == encoding
    with pytest.raises(DataError, match=f"is {encoding.upper()} text, .* set data.encoding: {encoding}$"):
        check_encoding(tmp_path / "a.csv", "utf-8")
    check_encoding(tmp_path / "a.csv", encoding)


def test_many_stray_nul_are_no_utf_16(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text,label\n" + b"".join(b"a" * row + b"\0,b\n" for row in range(40)))
    assert not wide_encoding_of(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"\x28\xb5\x2f\xfd\0\0", "compressed by Zstandard"),
        (b"BZh91AY", "compressed by bzip2"),
        (b"\xfd7zXZ\0", "compressed by xz"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"SQLite format 3\0", "a SQLite database"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"{\\rtf1\\ansi text,y\n}", "rich text"),
        (b"<?xml version='1.0'?>", "XML"),
    ],
)
def test_what_is_called_a_table_and_is_none_is_named(start, told, tmp_path):
    (tmp_path / "a.csv").write_bytes(start)
    with pytest.raises(DataError, match=f"is called .csv, but is {told}; "):
        check_encoding(tmp_path / "a.csv", "utf-8")


@pytest.mark.parametrize(
    ("line", "told"),
    [('"a"', "is a text, but"), ("[1]", "is a list, but"), ("null", "is null, but"), ("3", "is a number")],
)
def test_what_is_no_object_is_told_in_words(line, told, tmp_path):
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=f"line 1 {told}"):
        read_samples(tmp_path / "a.jsonl", ("image",), "utf-8")
