"""Features as a table: a row for each sample, streamed to a Parquet file that is there as a whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from graft.core.errors import SpecError
from graft.core.storage import disk_full_is_clear
from graft.data.dataset import Dataset
from graft.data.split import Split
from graft.tasks.protocol import Task

OnRows = Callable[[int, int], None]
"""Told how many rows of how many are done."""

SUFFIX = ".parquet"
FEATURES = "features"
OURS = ("id", "split", FEATURES)


@dataclass(frozen=True)
class RowsOfSplit:
    """Features of some samples.

    Attributes:
        split: they are of.
        rows: int64 [n], of the dataset.
        features: float32 [n, F].
    """

    split: Split
    rows: np.ndarray
    features: np.ndarray


def check_target(path: Path, is_forced: bool) -> None:
    """Whether a file may be written; asked before anything expensive starts.

    Raises:
        SpecError: it is there and is not to be replaced, has another suffix, or its directory cannot be written to.
    """
    if path.suffix.lower() != SUFFIX:
        raise SpecError(f"the output is {path}, but must end in {SUFFIX}")
    if path.is_dir():
        raise SpecError(f"the output is {path}, which is a directory; name a file in it")
    if path.exists() and not is_forced:
        raise SpecError(f"the output is {path}, which exists already; name another file, or replace it with --force")
    parent = path.absolute().parent
    if not parent.is_dir():
        raise SpecError(f"the output is {path}, but {parent} does not exist; make it first, or choose another")
    if not os.access(parent, os.W_OK):
        raise SpecError(f"the output is {path}, but {parent} cannot be written to; choose another")


def batches_of(
    found: Iterable[RowsOfSplit], dataset: Dataset, task: Task, facts: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
    """Record batches: ``id``, ``split``, what the task calls its labels, ``features`` (a list of fixed length).

    Args:
        found: the features.
        dataset: the samples.
        task: what is asked of them.
        facts: kept in the schema's metadata.
    """
    ids, targets = dataset.ids, dataset.targets
    for part in found:
        labels = task.labels(np.asarray(targets[part.rows]), dataset.names)
        columns: dict[str, pa.Array] = {
            "id": pa.array([_readable(ids[int(row)]) for row in part.rows], pa.string()),
            "split": pa.array([part.split.name.lower()] * len(part.rows), pa.string()),
            **{_own_name(name): _labels(values) for name, values in labels.items()},
            FEATURES: _vectors(part.features),
        }
        yield pa.RecordBatch.from_arrays([*columns.values()], schema=_schema(columns, facts))


def write_table(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
    """Write batches to a file, one after another, in a row group each.

    Raises:
        ResourceError: the disk is full; nothing is left behind, and a file that was there stays.
    """
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.absolute().parent) as scratch:
        part, writer = Path(scratch, "part"), None
        with disk_full_is_clear(path), contextlib.ExitStack() as stack:
            for batch in batches:
                writer = writer or stack.enter_context(parquet.ParquetWriter(part, batch.schema))
                writer.write_batch(batch)
        if writer is None:
            raise SpecError("there is no sample of this split, so there are no features; choose another")
        os.replace(part, path)


def _vectors(features: np.ndarray) -> pa.FixedSizeListArray:
    flat = pa.array(np.ascontiguousarray(features, dtype=np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, features.shape[1])


def _labels(values: Sequence[Any]) -> pa.Array:
    """Lists of names, names, or numbers; of one type, whatever these rows hold."""
    first = next(iter(values))
    if isinstance(first, list):
        return pa.array(values, pa.list_(pa.string()))
    return pa.array(values, pa.string() if isinstance(first, str) else pa.float64())


def _schema(columns: Mapping[str, pa.Array], facts: Mapping[str, str]) -> pa.Schema:
    fields = [pa.field(name, column.type) for name, column in columns.items()]
    return pa.schema(fields, metadata={f"graft.{name}": text for name, text in facts.items()})


def _own_name(name: str) -> str:
    """A target that is called as one of our columns keeps its name in brackets."""
    return f"label({name})" if name in OURS else name


def _readable(text: str) -> str:
    # Names of files may hold bytes that are no UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()
