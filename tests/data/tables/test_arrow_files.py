"""Hostile tables: a type that runs code when a schema is read, or a value converted, never gets the chance."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from graft.core.errors import DataError, SpecError
from graft.data.columnar.groups import ArrowGroups
from graft.data.tables.arrow_files import ArrowFile
from graft.data.tables.columnar import ColumnarTable
from graft.data.tables.samples import read_samples
from graft.modalities.image.serving import find_images
from graft.modalities.text.serving import find_texts

FORMS = ("t.parquet", "t.feather", "lz4.feather", "file.arrow", "stream.arrow")
_ran: list[bytes] = []


class Booby(pa.ExtensionType):
    """Runs code of the file's choice as soon as a schema is read, as types that unpickle do."""

    def __init__(self) -> None:
        super().__init__(pa.string(), "tests.booby")

    def __arrow_ext_serialize__(self) -> bytes:
        return b"bang"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> "Booby":
        _ran.append(serialized)
        return cls()


@pytest.fixture(autouse=True)
def booby() -> Iterator[None]:
    pa.register_extension_type(Booby())
    yield
    pa.unregister_extension_type("tests.booby")


def trapped() -> pa.Array:
    return pa.ExtensionArray.from_storage(Booby(), pa.array(["a.png", "b.png"]))


def write(path: Path, columns: dict[str, Any]) -> Path:
    """A table in the form that the name says."""
    table = pa.table(columns)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    elif path.suffix == ".feather":
        feather.write_feather(table, path, compression="lz4" if path.stem == "lz4" else "uncompressed")
    else:
        opened = pa.ipc.new_stream if path.stem == "stream" else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as sink, opened(sink, table.schema) as writer:
            writer.write_table(table)
    _ran.clear()
    return path


def test_the_trap_works(tmp_path: Path) -> None:
    parquet.read_metadata(write(tmp_path / "t.parquet", {"image": trapped()}))
    assert _ran, "this test is worth nothing if the type does not run its code"


@pytest.mark.parametrize("form", FORMS)
def test_a_column_beside_the_trap_is_read_and_nothing_runs(form: str, tmp_path: Path) -> None:
    found = ArrowFile(write(tmp_path / form, {"trap": trapped(), "image": ["x.png", None], "n": [1, 2]}))
    assert found.schema.names == ["trap", "image", "n"]
    assert found.extensions == {"trap": "tests.booby"}
    assert found.table(["n", "image"]).to_pydict() == {"n": [1, 2], "image": ["x.png", None]}
    assert _ran == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wrap", ["", "list", "struct", "dictionary"])
def test_the_trap_itself_is_refused_unread(form: str, wrap: str, tmp_path: Path) -> None:
    values = trapped()
    if wrap == "list":
        values = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), values)
    elif wrap == "struct":
        values = pa.StructArray.from_arrays([values], ["inner"])
    elif wrap == "dictionary" and "parquet" not in form:  # Parquet keeps no dictionary of such a type
        values = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), values)
    path = write(tmp_path / form, {"image": values})
    with pytest.raises(ValueError, match=r"column image is of the extension type tests\.booby"):
        ArrowFile(path).table(["image"])
    assert _ran == []


@pytest.mark.parametrize("find", [find_images, find_texts])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_to_be_predicted_is_refused_with_a_line(find: Any, form: str, tmp_path: Path) -> None:
    path = write(tmp_path / form, {"image": trapped(), "text": trapped()})
    with pytest.raises(SpecError, match=r"is of the extension type tests\.booby, but must be a plain one") as raised:
        find([path])
    assert len(raised.value.problems) == 1
    assert _ran == []


@pytest.mark.parametrize("form", FORMS)
def test_objects_of_ray_data_are_not_unpickled(form: str, tmp_path: Path) -> None:
    from ray.data._internal.object_extensions.arrow import ArrowPythonObjectArray

    trace = tmp_path / "trace"

    class Boom:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(trace),)

    path = write(tmp_path / form, {"image": ArrowPythonObjectArray.from_objects([Boom()]), "path": ["a.png"]})
    with pytest.raises(DataError, match="is of the extension type"):
        read_samples(path, ("image", "path"), "utf-8")
    assert read_samples(path, ("path",), "utf-8") == ["a.png"]
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"PAR1", b"ARROW1", b"PAR1" * 5, b"ARROW1" * 5, b"\xff" * 64, bytes(64),
        b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1", b"PAR1" + b"\xff\xff\xff\xff" + b"PAR1",
        b"ARROW1\0\0" + b"\xff\xff\xff\x7f" + b"ARROW1", b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
def test_damaged_files_get_a_line(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is damaged or of another form than its name says") as raised:
        read_samples(path, ("image",), "utf-8")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_truncated_files_get_a_line(form: str, share: float, tmp_path: Path) -> None:
    path = write(tmp_path / form, {"image": [f"{number}.png" for number in range(1000)]})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DataError, match="is damaged or of another form"):
        read_samples(path, ("image",), "utf-8")


@pytest.mark.parametrize("form", FORMS)
def test_bytes_that_change_give_rows_or_a_line(form: str, tmp_path: Path) -> None:
    """A flipped byte is a damaged file, never a machine without memory, a traceback, or a crash."""
    columns = {"image": [f"{number}.png" for number in range(50)], "n": range(50), "list": [["a"], []] * 25}
    whole = write(tmp_path / form, columns).read_bytes()
    random = Random(0)
    for _ in range(150):
        changed = bytearray(whole)
        for _ in range(random.choice((1, 2, 8))):
            changed[random.randrange(len(changed))] = random.choice((0, 127, 128, 255))
        (tmp_path / form).write_bytes(changed)
        with contextlib.suppress(DataError):
            read_samples(tmp_path / form, ("image",), "utf-8")


def test_a_file_that_promises_terabytes_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "lz4.feather", {"image": ["a.png"] * 1000})
    whole = path.read_bytes()
    buffers = [at for at in range(len(whole) - 8) if int.from_bytes(whole[at : at + 8], "little") == 5000]
    assert buffers, "the length of the texts stands before their compressed bytes"
    for at in buffers:
        path.write_bytes(whole[:at] + (1 << 50).to_bytes(8, "little") + whole[at + 8 :])
        with pytest.raises(DataError, match="is damaged or of another form"):
            read_samples(path, ("image",), "utf-8")


def views_of(text: str, rows: int) -> pa.Array:
    """As many rows that all point to one text."""
    views = np.zeros((rows, 4), np.int32)
    views[:, 0], views[:, 1] = len(text), int.from_bytes(text[:4].encode(), "little")
    buffers = [None, pa.py_buffer(views.tobytes()), pa.py_buffer(text.encode())]
    return pa.Array.from_buffers(pa.string_view(), rows, buffers)


def coded(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))


@pytest.mark.parametrize("make", [views_of, coded])
@pytest.mark.parametrize("name", FORMS)
def test_rows_that_point_to_one_large_value_are_not_unpacked_together(make: Any, name: str, tmp_path: Path) -> None:
    texts = make("x" * (4 << 20), 40)
    if name.endswith(".parquet") and make is views_of:
        texts = texts.cast(pa.large_string())
    path = write(tmp_path / name, {"text": texts})
    sizes = [batch.num_rows for batch in ArrowGroups(path).batches(["text"])]
    assert max(sizes) <= 16
    assert sum(sizes) == 40


@pytest.mark.parametrize("make", [views_of, coded])
@pytest.mark.parametrize("name", FORMS)
def test_a_cell_beside_a_sample_may_not_be_huge(make: Any, name: str, tmp_path: Path) -> None:
    labels = make("x" * 70_000, 3)
    if name.endswith(".parquet") and make is views_of:
        labels = labels.cast(pa.large_string())
    path = write(tmp_path / name, {"text": ["a", "b", "c"], "label": labels})
    with pytest.raises(DataError, match=f"column `label` of {name} has a value of 70000 bytes, but may have 65536"):
        ColumnarTable(path).read("text", ["label"])


def test_a_list_of_labels_may_not_be_endless(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"text": ["a"], "label": [["x"] * 10_001]})
    with pytest.raises(DataError, match="has a list of 10001 values, but may have 10000"):
        ColumnarTable(path).read("text", ["label"])
