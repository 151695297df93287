import base64
import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from graft.core.errors import DataError, SpecError
from graft.modalities.image.info import PIXELS
from graft.modalities.image.serving import ImageReader, decode_cell, encode_cell, find_images
from graft.modalities.image.storage import StoredImages, decode_square, square


def test_files_stay_as_they_are_named(folder):
    assert find_images([folder / "a.png", str(folder / "a.png")]) == [folder / "a.png"] * 2


def test_a_file_of_any_name_is_taken_at_its_word(folder):
    # The user named it: if it is no image, its prediction says so.
    assert find_images([folder / "notes.txt"]) == [folder / "notes.txt"]


def test_a_folder_is_searched_through_for_images(folder):
    assert find_images([folder]) == [folder / "a.png", folder / "sub" / "b.jpg"]


def test_the_order_is_that_of_the_arguments(folder):
    assert find_images([folder / "sub", folder / "a.png"]) == [folder / "sub" / "b.jpg", folder / "a.png"]


@pytest.mark.parametrize("column", ["image", "path", "file", "filename"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".CSV"])
def test_a_table_names_images(folder, suffix, column):
    table = pd.DataFrame({"note": ["x, y", "z"], column: ["a.png", "sub/b.jpg"]})
    path = folder / f"list{suffix}"
    if suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="\t" if suffix == ".tsv" else ",", index=False)
    assert find_images([path]) == [folder / "a.png", folder / "sub" / "b.jpg"]


def test_absolute_names_in_a_table_stay_absolute(folder, tmp_path):
    (tmp_path / "list.csv").write_text(f"image\n{folder}/a.png\n")
    assert find_images([tmp_path / "list.csv"]) == [folder / "a.png"]


def test_the_image_column_comes_before_the_others(folder):
    (folder / "list.csv").write_text("path,image\nwrong.png,a.png\n")
    assert find_images([folder / "list.csv"]) == [folder / "a.png"]


def test_a_table_without_an_image_column_says_which_it_has(folder):
    (folder / "list.csv").write_text("id,photo\n1,a.png\n")
    with pytest.raises(SpecError) as caught:
        find_images([folder / "list.csv"])
    assert str(caught.value) == (
        f"{folder / 'list.csv'} has the columns `id`, `photo`, but must have one called `image` or `path` or `file` or "
        "`filename`"
    )


def test_the_column_that_was_trained_on_is_found_first(folder):
    (folder / "list.csv").write_text("image,photo\nwrong.png,a.png\n")
    assert find_images([folder / "list.csv"], "photo") == [folder / "a.png"]
    (folder / "list.csv").write_text("image,other\na.png,wrong.png\n")
    assert find_images([folder / "list.csv"], "photo") == [folder / "a.png"]


def test_the_encoding_of_tables_is_that_of_training(folder, pixels, encode):
    (folder / "é.png").write_bytes(encode(pixels))
    (folder / "list.csv").write_bytes("image\né.png\n".encode("cp1252"))
    assert find_images([folder / "list.csv"], encoding="cp1252") == [folder / "é.png"]


def test_names_that_others_take_for_nothing_are_names(folder):
    (folder / "list.csv").write_text("image\nNA\nnull\nNone\nnan\n")
    assert [path.name for path in find_images([folder / "list.csv"])] == ["NA", "null", "None", "nan"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("list.csv", b"", "is empty, but must hold a table with a header"),
        ("list.parquet", b"not parquet", "is damaged or of another form than its name says"),
        ("list.csv", b"\xff\xfe\x00\x01,\x80", "is UTF-16 text, but data.encoding is utf-8"),
        ("x.tsv", b"image\n\x81\n", "line 2 is not UTF-8 text"),
    ],
)
def test_a_table_that_cannot_be_read_is_told(folder, name, content, told):
    (folder / name).write_bytes(content)
    with pytest.raises(SpecError, match=rf"{name},? {told}"):
        find_images([folder / name])


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".png"])
def test_what_is_no_file_gets_a_line_and_nobody_waits(folder, suffix):
    pipe = folder / f"pipe{suffix}"
    os.mkfifo(pipe)
    if suffix == ".png":
        assert ImageReader(STORED)([pipe]).errors == {0: "is not a regular file"}
        return
    with pytest.raises(SpecError, match="must be a regular file"):
        find_images([pipe])


def test_the_limit_of_pixels_is_that_of_training(folder, pixels):
    small = StoredImages(12, 3, max_pixels=pixels.shape[0] * pixels.shape[1] - 1)
    files = [folder / "a.png", (folder / "a.png").read_bytes(), Image.open(folder / "a.png")]
    assert set(ImageReader(small)(files).errors.values()) == {
        "has 80 x 60 pixels, more than data.max_pixels allows (4799)"
    }
    assert ImageReader(StoredImages(12, 3, max_pixels=4800))(files).errors == {}


def test_a_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(SpecError) as caught:
        find_images([tmp_path / "nope.png"])
    assert str(caught.value) == f"{tmp_path / 'nope.png'} does not exist; name an image, a folder or a table"


def test_a_folder_without_images_is_told(tmp_path):
    with pytest.raises(SpecError, match=r"holds no image; name a folder that does"):
        find_images([tmp_path])


def test_all_problems_are_told_at_once(folder, tmp_path):
    (folder / "list.csv").write_text("id\n1\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError) as caught:
        find_images([tmp_path / "nope.png", folder / "a.png", folder / "list.csv", tmp_path / "empty"])
    assert [problem.message.split(" ", 1)[0] for problem in caught.value.problems] == [
        str(tmp_path / "nope.png"), str(folder / "list.csv"), str(tmp_path / "empty"),
    ]  # fmt: skip


def test_nothing_is_nothing():
    assert find_images([]) == []


def test_names_that_look_like_numbers_stay_as_they_are(folder):
    (folder / "list.csv").write_text("image\n007\n008\n")
    assert find_images([folder / "list.csv"]) == [folder / "007", folder / "008"]


def test_a_row_without_a_name_is_told(folder):
    (folder / "list.csv").write_text("image,note\na.png,x\n,y\n")
    with pytest.raises(SpecError, match="row"):
        find_images([folder / "list.csv"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_told(folder):
    (folder / "sub").chmod(0)
    try:
        with pytest.raises((SpecError, DataError), match="cannot be read"):
            find_images([folder])
    finally:
        (folder / "sub").chmod(0o700)


STORED = StoredImages(12, 3)


def test_a_reader_gives_what_ingest_would_store(folder, pixels):
    path = folder / "sub" / "b.jpg"
    found = ImageReader(STORED)([str(path), path.read_bytes(), pixels])
    expected = decode_square(path.read_bytes(), STORED)
    assert found.sources == (str(path), "#1", "#2")
    assert found.errors == {}
    np.testing.assert_array_equal(found.columns[PIXELS], [expected, expected, square(pixels, STORED)])


def test_what_cannot_be_read_has_a_reason_and_no_row(folder, pixels):
    found = ImageReader(STORED)([b"", pixels, folder / "notes.txt", folder / "gone.png"])
    assert found.columns[PIXELS].shape == (1, 12, 12, 3)
    assert found.errors.keys() == {0, 2, 3}
    assert found.errors[0] == "is empty"
    assert found.errors[2].startswith("is text, but must be an image")
    assert found.errors[3] == "cannot be read (No such file or directory)"
    assert found.sources == ("#0", "#1", str(folder / "notes.txt"), str(folder / "gone.png"))


@pytest.mark.parametrize("images", [[], [b""]])
def test_nothing_that_can_be_read_is_a_column_without_rows(images):
    assert ImageReader(StoredImages(12, 1))(images).columns[PIXELS].shape == (0, 12, 12, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_cell_of_a_table_comes_back_bit_for_bit(pixels, channels):
    stored = StoredImages(12, channels)
    image = square(pixels, stored)
    content = decode_cell(0, encode_cell(image))
    np.testing.assert_array_equal(decode_square(content, stored), image)


@pytest.mark.parametrize("cell", ["no base64!", None, 3.5])
def test_a_cell_that_is_not_base64_names_its_row(cell):
    with pytest.raises(SpecError, match="image of row 7 is not base64"):
        decode_cell(7, cell)
    assert decode_cell(0, base64.b64encode(b"x").decode()) == b"x"
