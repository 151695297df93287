"""Tables that hold the images themselves: as bytes, as Hugging Face keeps them, in base64."""

import base64
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from graft.core.errors import DataError
from graft.data.columnar import groups
from graft.data.draft import Wish, drafts_of
from graft.data.listing import Listing
from graft.data.read import Unreadable
from graft.data.tables import columnar
from graft.data.tables.samples import read_samples
from graft.modalities.image.serving import ImageReader, find_images
from graft.modalities.image.sources.table import list_image_table
from graft.modalities.image.storage import StoredImages, square
from graft.spec.modalities.table import TableData

COUNT = 7


@pytest.fixture
def images(encode: Callable[..., bytes], noise: Callable[..., np.ndarray]) -> list[bytes]:
    return [encode(noise(5, 6, 3, seed=seed)) for seed in range(COUNT)]


def listed(path: Path) -> Listing:
    return list_image_table(TableData(path=path, image="image", label="label"))


def write(path: Path, column: pa.Array) -> Path:
    table = pa.table({"image": column, "label": [number % 2 for number in range(len(column))]})
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=3)
    elif path.suffix == ".feather":
        feather.write_feather(table, path, chunksize=3)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)
    return path


def check(listing: Listing, noise: Callable[..., np.ndarray]) -> None:
    reader = pickle.loads(pickle.dumps(listing.reader))
    for row in (0, 1, 5, 6, 2):
        assert np.array_equal(reader(listing.sources[row], 0).pixels, noise(5, 6, 3, seed=row))


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrow"])
@pytest.mark.parametrize("form", ["bytes", "struct"])
def test_bytes_in_a_column(
    name: str, form: str, tmp_path: Path, images: list[bytes], noise: Callable[..., np.ndarray]
) -> None:
    structs = pa.array([{"bytes": one, "path": "x.png"} for one in images])
    listing = listed(write(tmp_path / name, pa.array(images) if form == "bytes" else structs))
    assert listing.ids[0] == f"{name}:1"
    check(listing, noise)


def test_a_struct_may_name_a_file(tmp_path: Path, images: list[bytes], noise: Callable[..., np.ndarray]) -> None:
    (tmp_path / "beside.png").write_bytes(images[0])
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    column = pa.array([{"bytes": None, "path": "beside.png"}, {"bytes": images[1], "path": None}, None, {}], kind)
    listing = listed(write(tmp_path / "a.parquet", column))
    for row in (0, 1):
        assert np.array_equal(listing.reader(listing.sources[row], 0).pixels, noise(5, 6, 3, seed=row))
    for row in (2, 3):
        with pytest.raises(Unreadable, match="is empty"):
            listing.reader(listing.sources[row], 0)


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_base64(prefix: str, name: str, tmp_path: Path, images: list[bytes], noise: Callable[..., np.ndarray]) -> None:
    cells = [prefix + base64.b64encode(one).decode() for one in images]
    rows = [{"image": cell, "label": number % 2} for number, cell in enumerate(cells)]
    lines = ["image,label"] * name.endswith("csv")
    lines += [json.dumps(row) if name.endswith("jsonl") else f'"{row["image"]}",{row["label"]}' for row in rows]
    (tmp_path / name).write_text("\n".join(lines))
    check(listed(tmp_path / name), noise)


def test_names_of_files_are_no_base64(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,label\n/9j/" + "a" * 70 + ".png,1\n/9j/b.png,2\n")
    assert listed(tmp_path / "a.csv").sources[1] == b"/9j/b.png"


def test_a_table_that_changes_while_it_is_read(tmp_path: Path, images: list[bytes]) -> None:
    path = write(tmp_path / "a.parquet", pa.array(images))
    listing = listed(path)
    write(path, pa.array(images[:3]))
    with pytest.raises(DataError, match="has changed while it was read"):
        listing.reader(listing.sources[6], 0)


def bomb(path: Path, value: bytes, rows: int) -> Path:
    """A dictionary of one value, and an index for every row: a few bytes a row group."""
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value.decode()]))
    parquet.write_table(pa.table({"text": column, "label": np.arange(rows) % 2}), path, compression="zstd")
    return path


@pytest.mark.parametrize(
    ("value", "rows", "told"),
    [(b"x" * 2 * 1024**2, 2, "2 MiB in one piece"), (b"x" * 10_000, 2000, "unpacks to more than")],
)
def test_a_bomb_is_one_line(
    value: bytes, rows: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graft.modalities.text.sources.table import list_text_table

    monkeypatch.setattr(groups, "MOST_CELL_BYTES", 1024**2)
    monkeypatch.setattr(columnar, "_FEW_BYTES", 16 * 1024**2)
    path = bomb(tmp_path / "a.parquet", value, rows)
    assert path.stat().st_size < 1024**2
    with pytest.raises(DataError, match=told) as raised:
        list_text_table(TableData(path=path, text="text", label="label"))
    assert "\n" not in str(raised.value)


def test_more_rows_than_fit_into_the_bytes(tmp_path: Path) -> None:
    from graft.modalities.text.sources.table import list_text_table

    columns: dict[str, Any] = {"text": pa.nulls(20_000_000, pa.string()), "label": pa.nulls(20_000_000, pa.string())}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="20000000 rows, more than fit"):
        list_text_table(TableData(path=tmp_path / "a.parquet", text="text", label="label"))


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_table_of_images_is_found_and_predicted(
    name: str, tmp_path: Path, images: list[bytes], noise: Callable[..., np.ndarray]
) -> None:
    path = tmp_path / name
    if name.endswith("csv"):
        cells = [base64.b64encode(one).decode() for one in images]
        path.write_text("\n".join(["image,label", *(f"{cell},{n % 2}" for n, cell in enumerate(cells))]))
    else:
        write(path, pa.array([{"bytes": one, "path": "x.png"} for one in images]))
    draft = drafts_of(path, Wish())[0]
    assert (draft.kind, draft.section, draft.strategy) == (
        "table", {"image": "image", "label": "label"}, {"resolution": 32}
    )  # fmt: skip
    found = find_images([path])
    readings = ImageReader(StoredImages(stored_size=8))(found)
    assert (readings.sources[2], readings.errors) == (f"{name}:3", {})
    expected = square(noise(5, 6, 3, seed=2), StoredImages(stored_size=8))
    assert np.array_equal(np.asarray(readings.columns["pixels"])[2], expected)


def test_bytes_are_no_texts_to_predict(tmp_path: Path, images: list[bytes]) -> None:
    with pytest.raises(DataError, match="holds bytes, but must be text"):
        read_samples(write(tmp_path / "a.parquet", pa.array(images)), ("image",), "utf-8")
