"""Files of a home that somebody else has written: none of them runs code when it is opened."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from graft.core.errors import ArtifactError
from graft.core.storage import file_digest, read_json, write_json
from graft.data.columns import ColumnSpec, StorageSpec
from graft.data.dataset import MANIFEST, ROWS, SPLITS, TARGETS, open_dataset, row_columns
from graft.data.feature_store.shards import map_shard
from graft.data.store import Origin, Rows, column_writers, write_rows

STORAGE = StorageSpec("image", (ColumnSpec("pixels", "uint8", (2,)),))
_ran: list[bytes] = []


class Boom:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.trace,)


class Booby(pa.ExtensionType):
    def __init__(self) -> None:
        super().__init__(pa.string(), "tests.hostile")

    def __arrow_ext_serialize__(self) -> bytes:
        return b"bang"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> "Booby":
        _ran.append(serialized)
        return cls()


@pytest.fixture
def trapped() -> Iterator[pa.Array]:
    pa.register_extension_type(Booby())
    yield pa.ExtensionArray.from_storage(Booby(), pa.array(["a", "b"]))
    pa.unregister_extension_type("tests.hostile")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with column_writers(tmp_path, STORAGE) as writers:
        writers["pixels"].append(np.zeros((2, 2), np.uint8))
    rows = Rows(("a", "b"), np.arange(2), np.zeros(2, np.uint8), ("0" * 64, "1" * 64))
    write_rows(tmp_path, rows, Origin("test", ("x", "y"), STORAGE))
    return tmp_path


def resealed(directory: Path, name: str) -> None:
    """What whoever may write the home can do as well: make the manifest fit."""
    manifest, path = read_json(directory / MANIFEST), directory / name
    manifest["files"][name] = {"bytes": path.stat().st_size, "sha256": file_digest(path)}
    write_json(directory / MANIFEST, manifest)


@pytest.mark.parametrize("name", ["pixels.npy", TARGETS, SPLITS])
def test_arrays_are_not_unpickled(directory: Path, name: str) -> None:
    trace = directory / "trace"
    np.save(directory / name, np.array([Boom(trace), Boom(trace)], dtype=object), allow_pickle=True)
    resealed(directory, name)
    with pytest.raises(ArtifactError, match="is damaged"):
        open_dataset(directory, verify=True)
    assert not trace.exists()


def test_rows_are_not_asked_what_they_are(directory: Path, trapped: pa.Array) -> None:
    parquet.write_table(pa.table({"id": trapped, "split": [0, 0], "sha256": ["0", "1"]}), directory / ROWS)
    resealed(directory, ROWS)
    _ran.clear()
    dataset = open_dataset(directory, verify=True)
    with pytest.raises(ArtifactError, match=r"is damaged .rows.parquet: column id is of the extension type"):
        _ = dataset.ids
    assert row_columns(directory, "sha256") == {"sha256": ["0", "1"]}
    assert _ran == []


def test_features_are_not_asked_what_they_are(tmp_path: Path, trapped: pa.Array) -> None:
    path = tmp_path / "0.arrow"
    table = pa.table({"features": trapped})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    _ran.clear()
    with pytest.raises(ValueError, match=r"holds the type tests.hostile instead of arrow.fixed_shape_tensor"):
        map_shard(path, (2,), "float32")
    assert _ran == []


def test_nothing_of_a_file_is_ever_unpickled(repository: Path) -> None:
    forbidden = re.compile(
        r"allow_pickle=True|weights_only=False|joblib|pickle\.loads?\(|read_pickle|trust_remote_code=True|np\.load\("
        r"(?!.*allow_pickle=False)|torch\.load\((?!.*weights_only=True)|yaml\.(unsafe_load|load)\("
    )
    found = [
        f"{path.relative_to(repository)}:{number}: {line.strip()}"
        for path in sorted((repository / "platform" / "graft").rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        # What Ray carries between processes of one job is no file; `workers` says who may send it.
        if forbidden.search(line.replace("cloudpickle.loads(", ""))
    ]
    assert found == []
