"""What may be handed over, on a modality that is none of graft's: its samples are whole numbers, or names of files."""

import io
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from graft.core.errors import SpecError
from graft.serving.samples import is_missing, paths_of, samples_of


class Numbers:
    """Whole numbers, and names of files."""

    forms = "a whole number, or the name of a file"

    def is_sample(self, value: Any) -> bool:
        return isinstance(value, int | str | Path | bytes)

    def names_file(self, value: Any) -> bool:
        return isinstance(value, str | Path)

    def table_columns(self, preprocessing: Any) -> tuple[str, ...]:
        return ("number", "n")

    def find(self, given: Any, preprocessing: Any) -> list[Any]:
        return [path for one in given for path in sorted(Path(one).iterdir())] if Path(given[0]).is_dir() else given


def collected(given: Any) -> list[Any]:
    return samples_of(given, Numbers(), SimpleNamespace())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        [1, 2], (1, 2), deque([1, 2]), iter([1, 2]), (one for one in (1, 2)), range(1, 3), np.array([1, 2], object),
        pd.Series([1, 2]), pd.DataFrame({"number": [1, 2]}), pd.DataFrame({"x": ["a", "b"], "n": [1, 2]}, index=[7, 9]),
    ],
)  # fmt: skip
def test_many_in_any_sequence(given):
    assert collected(given) == [1, 2]


@pytest.mark.parametrize("given", [1, "photo.png", b"abc", Path("photo.png")])
def test_one_is_one(given):
    assert collected(given) == [given]


@pytest.mark.parametrize("given", [[], (), iter([]), pd.Series([], dtype=object), pd.DataFrame({"n": []}), range(0)])
def test_nothing_is_nothing(given):
    assert collected(given) == []


@pytest.mark.parametrize("make", [bytearray, memoryview, io.BytesIO])
def test_bytes_in_other_forms(make):
    assert collected(make(b"abc")) == collected([make(b"abc")]) == [b"abc"]


def test_an_opened_file_is_what_it_holds_not_its_lines(tmp_path):
    (tmp_path / "file").write_bytes(b"a\nb\n")
    with (tmp_path / "file").open("rb") as stream:
        assert collected(stream) == [b"a\nb\n"]
    with (tmp_path / "file").open() as stream, pytest.raises(SpecError, match="of type TextIOWrapper is given"):
        collected(stream)


def test_a_text_that_names_a_folder_means_what_it_holds(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).touch()
    assert collected(str(tmp_path)) == collected(tmp_path) == [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize("odd", ["x" * 5000, "a\0b", ""])
def test_a_text_that_can_be_no_file_is_left_to_the_reader(odd):
    assert collected(odd) == [odd]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (3.5, "of type float is given to predict, but must be a whole number"),
        ({1: 2}, "of type dict is given to predict"),
        ({1, 2}, "of type set is given to predict"),
        (None, "None is given to predict"),
        (object, "of type type is given to predict"),
        (np.float32(2.0), r"of type float32 and shape \(\) is given to predict"),
        ([1, 2.5], "sample 1 is of type float, but must be a whole number, or the name of a file"),
        ([[1, 2]], "sample 0 is of type list"),
        ([{"number": 1}], "sample 0 is of type dict"),
        (np.zeros((2, 3)), r"sample 0 is of type ndarray and shape \(3,\)"),
        (pd.DataFrame({"y": [1]}), "the table has y, but needs a column `number` or `n`"),
        (pd.DataFrame(), "the table has no columns, but needs"),
        (pd.DataFrame([[1, 2]], columns=["n", "n"]), "several columns `n`"),
    ],
)
def test_anything_else_is_refused_by_name(given, told):
    with pytest.raises(SpecError, match=told):
        collected(given)


@pytest.mark.parametrize("empty", [None, float("nan"), np.nan, pd.NA, pd.NaT, np.float32("nan")])
def test_an_empty_cell_is_missing(empty):
    assert is_missing(empty)
    assert collected([1, empty]) == [1, None]


@pytest.mark.parametrize("there", [0, "", "nan", 1.5, b"", np.zeros(3)])
def test_nothing_else_is_missing(there):
    assert not is_missing(there)


@pytest.mark.parametrize("given", ["a.png", Path("a.png"), ["a.png"], (Path("a.png"),), iter(["a.png"])])
def test_names_of_files(given):
    assert paths_of(given) == [Path("a.png")]


@pytest.mark.parametrize("given", [None, 3, b"a.png", [None], ["a.png", 3], {"a": 1}, {"a.png"}, [b"a.png"]])
def test_what_names_no_file_is_refused_by_name(given):
    with pytest.raises(SpecError, match="is given, but must be the name of a file, a folder or a table, or a list"):
        paths_of(given)
