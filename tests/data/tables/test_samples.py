"""The cells of a table's samples, and the files that they name."""

import os
import unicodedata
from pathlib import Path

import pytest

from graft.core.errors import DataError
from graft.data.contents.beside import file_beside
from graft.data.tables.samples import read_samples

NA_WORDS = ["NA", "null", "None", "nan", "NaN", "N/A", "#N/A", "<NA>", "-nan", "n/a", "NULL"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_words_that_others_take_for_nothing_are_names(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"list{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(f'{{"image": "{word}"}}\n' for word in NA_WORDS))
    else:
        path.write_text("\n".join(["image", *NA_WORDS]) + "\n")
    assert read_samples(path, ("image",), "utf-8") == NA_WORDS


def test_the_first_name_that_is_there_counts(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("path,image\na,b\n")
    assert read_samples(path, ("photo", "image", "path"), "utf-8") == ["b"]
    with pytest.raises(DataError, match=r"has the columns `path`, `image`, but must have one called `photo`$"):
        read_samples(path, ("photo",), "utf-8")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_column_is_found_in_either_form_of_its_accents(suffix: str, tmp_path: Path) -> None:
    composed, apart = unicodedata.normalize("NFC", "légende"), unicodedata.normalize("NFD", "légende")
    for written, asked in ((composed, apart), (apart, composed)):
        path = tmp_path / f"list{suffix}"
        path.write_text(f'{{"{written}": "x"}}\n' if suffix == ".jsonl" else f"{written}\nx\n")
        assert read_samples(path, (asked,), "utf-8") == ["x"]


@pytest.mark.parametrize(("on_disk", "in_table"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC"), ("NFD", "NFD")])
def test_a_file_is_found_in_either_form_of_its_accents(on_disk: str, in_table: str, tmp_path: Path) -> None:
    there = tmp_path / unicodedata.normalize(on_disk, "Café.png")
    there.touch()
    named = unicodedata.normalize(in_table, "Café.png")
    assert file_beside(tmp_path / "list.csv", named.encode()) == os.fsencode(there)


@pytest.mark.parametrize("name", ["photos\\é 1.png", "photos/é 1.png", ".\\photos\\é 1.png"])
def test_a_name_that_was_written_on_windows_is_found(name: str, tmp_path: Path) -> None:
    there = tmp_path / "photos" / "é 1.png"
    there.parent.mkdir()
    there.touch()
    assert Path(os.fsdecode(file_beside(tmp_path / "list.csv", name.encode()))).samefile(there)
    literal = tmp_path / "photos\\é 1.png"
    literal.touch()
    assert file_beside(tmp_path / "list.csv", b"photos\\\xc3\xa9 1.png") == os.fsencode(literal)


def test_a_name_with_blanks_around_it_is_found_unless_a_file_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert file_beside(tmp_path / "list.csv", b" a.png ") == os.fsencode(tmp_path / "a.png")
    (tmp_path / " a.png ").touch()
    assert file_beside(tmp_path / "list.csv", b" a.png ") == os.fsencode(tmp_path / " a.png ")


def test_a_file_of_just_this_name_comes_first(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "é.png")).touch()
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, "é.png")
        assert file_beside(tmp_path / "list.csv", name.encode()) == os.fsencode(tmp_path / name)


@pytest.mark.parametrize("name", [b"gone-\xc3\xa9.png", b"no\0path-\xc3\xa9", b"\xff\xfe.png", b"/abs/\xc3\xa9.png"])
def test_a_file_that_is_not_there_keeps_its_name(name: bytes, tmp_path: Path) -> None:
    assert file_beside(tmp_path / "list.csv", name) == os.path.join(os.fsencode(tmp_path), name)
