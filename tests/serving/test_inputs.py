import os

import pandas as pd
import pytest

from graft.core.errors import DataError, SpecError
from graft.serving.inputs import image_paths


def test_files_stay_as_they_are_named(folder):
    assert image_paths([folder / "a.png", str(folder / "a.png")]) == [folder / "a.png"] * 2


def test_a_file_of_any_name_is_taken_at_its_word(folder):
    # The user named it: if it is no image, its prediction says so.
    assert image_paths([folder / "notes.txt"]) == [folder / "notes.txt"]


def test_a_folder_is_searched_through_for_images(folder):
    assert image_paths([folder]) == [folder / "a.png", folder / "sub" / "b.jpg"]


def test_the_order_is_that_of_the_arguments(folder):
    assert image_paths([folder / "sub", folder / "a.png"]) == [folder / "sub" / "b.jpg", folder / "a.png"]


@pytest.mark.parametrize("column", ["image", "path", "file", "filename"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".CSV"])
def test_a_table_names_images(folder, suffix, column):
    table = pd.DataFrame({"note": ["x, y", "z"], column: ["a.png", "sub/b.jpg"]})
    path = folder / f"list{suffix}"
    if suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="\t" if suffix == ".tsv" else ",", index=False)
    assert image_paths([path]) == [folder / "a.png", folder / "sub" / "b.jpg"]


def test_absolute_names_in_a_table_stay_absolute(folder, tmp_path):
    (tmp_path / "list.csv").write_text(f"image\n{folder}/a.png\n")
    assert image_paths([tmp_path / "list.csv"]) == [folder / "a.png"]


def test_the_image_column_comes_before_the_others(folder):
    (folder / "list.csv").write_text("path,image\nwrong.png,a.png\n")
    assert image_paths([folder / "list.csv"]) == [folder / "a.png"]


def test_a_table_without_an_image_column_says_which_it_has(folder):
    (folder / "list.csv").write_text("id,photo\n1,a.png\n")
    with pytest.raises(SpecError) as caught:
        image_paths([folder / "list.csv"])
    assert str(caught.value) == (
        f"{folder / 'list.csv'} has the columns id, photo, but needs one of image, path, file, filename"
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [("list.csv", b""), ("list.parquet", b"not parquet"), ("list.csv", b"\xff\xfe\x00\x01,\x80"), ("x.tsv", b"")],
)
def test_a_table_that_cannot_be_read_is_told(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(SpecError, match=rf"{name} cannot be read as a table \(.+\)"):
        image_paths([folder / name])


def test_a_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(SpecError) as caught:
        image_paths([tmp_path / "nope.png"])
    assert str(caught.value) == f"{tmp_path / 'nope.png'} does not exist; name an image, a folder or a table"


def test_a_folder_without_images_is_told(tmp_path):
    with pytest.raises(SpecError, match=r"holds no image; name a folder that does"):
        image_paths([tmp_path])


def test_all_problems_are_told_at_once(folder, tmp_path):
    (folder / "list.csv").write_text("id\n1\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError) as caught:
        image_paths([tmp_path / "nope.png", folder / "a.png", folder / "list.csv", tmp_path / "empty"])
    assert [problem.message.split(" ", 1)[0] for problem in caught.value.problems] == [
        str(tmp_path / "nope.png"), str(folder / "list.csv"), str(tmp_path / "empty"),
    ]  # fmt: skip


def test_nothing_is_nothing():
    assert image_paths([]) == []


def test_names_that_look_like_numbers_stay_as_they_are(folder):
    (folder / "list.csv").write_text("image\n007\n008\n")
    assert image_paths([folder / "list.csv"]) == [folder / "007", folder / "008"]


def test_a_row_without_a_name_is_told(folder):
    (folder / "list.csv").write_text("image,note\na.png,x\n,y\n")
    with pytest.raises(SpecError, match="row"):
        image_paths([folder / "list.csv"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_told(folder):
    (folder / "sub").chmod(0)
    try:
        with pytest.raises((SpecError, DataError), match="cannot be read"):
            image_paths([folder])
    finally:
        (folder / "sub").chmod(0o700)
