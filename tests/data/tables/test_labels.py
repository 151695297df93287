"""What a table writes as a label is what the label is called."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from graft.core.errors import DataError
from graft.data.tables.labelled import Columns, read_labelled
from graft.tasks.classification.targets import read_classes

COLUMNS = Columns("text", ("label",))


def classes(path: Path) -> tuple[str, ...]:
    return read_classes(read_labelled(path, COLUMNS).targets, path.name).names


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["007", "7", "12"], ("007", "7", "12")),
        (["01", "02"], ("01", "02")),
        (["1.0", "2", "1"], ("1", "2")),
        (["0", "1"], ("0", "1")),
        (["0.5", "00.5"], ("0.5",)),
        (["123456789012345678", "123456789012345679"], ("123456789012345678", "123456789012345679")),
    ],
)
def test_codes_of_a_text_table_keep_their_digits(labels: list[str], names: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"a,{label}\n" for label in labels))
    if len(names) < 2:
        with pytest.raises(DataError, match="has 1 class"):
            classes(path)
    else:
        assert set(classes(path)) == set(names)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_numbers_that_no_float_tells_apart_are_different_classes(suffix: str, tmp_path: Path) -> None:
    path, labels = tmp_path / f"t{suffix}", [2**60 + 1, 2**60 + 2]
    if suffix == ".parquet":
        parquet.write_table(pa.table({"text": ["a", "b"], "label": labels}), path)
    else:
        path.write_text("".join(f'{{"text": "a", "label": {label}}}\n' for label in labels))
    assert classes(path) == tuple(map(str, labels))


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_pointer_in_place_of_a_table_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(DataError, match=rf"{name} is a pointer of Git LFS, not the file; fetch it with `git lfs pull`"):
        read_labelled(tmp_path / name, COLUMNS)


@pytest.mark.parametrize("opening", ["[", "{"])
def test_one_value_of_many_lines_is_told_as_that(opening: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f'{opening}\n  "text": "a"\n')
    with pytest.raises(DataError, match="line 1 begins what goes on in the next line, but each line must be an object"):
        read_labelled(path, COLUMNS)


def test_empty_lines_above_the_header_are_passed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n\ntext,label\na,cat\n\nb,dog\n")
    assert classes(path) == ("cat", "dog")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x1f\x8b\x08rest", "is called .csv, but is compressed by gzip; unpack it"),
        (b"PK\x03\x04rest", "is called .csv, but is a zip archive or an Excel workbook"),
        (b"<!doctype HTML>\n<html>", "is called .csv, but is a web page; download the table again"),
        (b"PAR1rest", "is called .csv, but is Parquet; name it .parquet"),
    ],
)
def test_what_is_only_called_a_table_of_text(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_labelled(path, COLUMNS)
