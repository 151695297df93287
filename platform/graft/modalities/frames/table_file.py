"""Rows of objects as a Parquet file under the home, named by what is in it: written once, whole or not at all."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import parquet

from graft.core.errors import DataError, SpecError
from graft.core.storage import disk_full_is_clear
from graft.modalities.frames.rows import ROWS_TOGETHER, Rows, plain

_FORMAT = 1


class Cells(Protocol):
    """How a modality keeps its samples in a table."""

    def fingerprint(self, value: Any) -> bytes:
        """What tells a sample from another; cheaper than `stored`."""

    def stored(self, value: Any) -> Any:
        """A cell of `kind`.

        Raises:
            ValueError: the value is no sample; the message fits behind "row 3 ".
        """

    @property
    def kind(self) -> pa.DataType:
        """Of the cells."""


@dataclass(frozen=True)
class TableFile:
    """The file that rows become.

    Attributes:
        rows: of an object.
        sample: its column of samples.
        others: its columns of labels, and what else is named.
        cells: how samples are kept.
    """

    rows: Rows
    sample: Any
    others: tuple[Any, ...]
    cells: Cells

    def write(self, directory: Path) -> Path:
        """The file, written if it is not there.

        Raises:
            SpecError: there are no rows, or a cell is nothing that a table can hold.
            DataError: the object has changed while it was read.
            ResourceError: the disk is full.
        """
        first = self._digest()
        path = directory / f"{first}.parquet"
        if path.is_file():
            os.utime(directory)  # it has been asked for; the file itself keeps its time, which is part of its identity
            return path
        scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with disk_full_is_clear(path):
            directory.mkdir(parents=True, exist_ok=True)
            try:
                if self._write(scratch) != first:
                    raise DataError(
                        f"{self.rows.told} has changed while it was read, but must stay as it is: nothing may write to "
                        "it, and nothing in it may be drawn at random, such as an augmentation"
                    )
                os.replace(scratch, path)
            finally:
                scratch.unlink(missing_ok=True)
        return path

    def _digest(self) -> str:
        digest = self._start()
        for row in self._read():
            self._add(digest, row)
        return digest.hexdigest()[:32]

    def _write(self, path: Path) -> str:
        digest = self._start()
        sides = self._sides()
        names = [str(self.sample), *(str(name) for name in self.others)]
        kinds = [self.cells.kind, *(side.type for side in sides)]
        schema = pa.schema(list(zip(names, kinds, strict=True)))
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            done = 0
            for rows in _chunks(self._read(), ROWS_TOGETHER):
                for row in rows:
                    self._add(digest, row)
                samples = pa.array([self._stored(row[0], done + at) for at, row in enumerate(rows, 1)], self.cells.kind)
                columns = [samples, *(side.slice(done, len(rows)) for side in sides)]
                writer.write_table(pa.table(columns, schema=schema))
                done += len(rows)
        return digest.hexdigest()[:32]

    def _read(self) -> Iterator[tuple[Any, ...]]:
        count = len(self.rows)
        if not count:
            raise SpecError(f"{self.rows.told} has no rows, but must have one for each sample")
        done = 0
        for row in self.rows.rows([self.sample, *self.others]):
            yield (row[0], *map(plain, row[1:]))
            done += 1
        if done != count:
            raise DataError(f"{self.rows.told} has {count} rows, but gave {done}; it must not change while it is read")

    def _sides(self) -> list[pa.Array]:
        """The columns beside the samples, whole, because their types show only at the end."""
        columns: list[list[Any]] = [[] for _ in self.others]
        if self.others:
            for row in self.rows.rows(list(self.others)):
                for column, value in zip(columns, row, strict=True):
                    column.append(plain(value))
        return [self._side(name, values) for name, values in zip(self.others, columns, strict=True)]

    def _side(self, name: Any, values: list[Any]) -> pa.Array:
        try:
            return pa.array(values)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            told = " ".join(str(error).split())[:120]
            raise SpecError(
                f"column `{name}` of {self.rows.told} holds values that are not of one kind ({told}); make all of them "
                "numbers, texts, or lists of texts"
            ) from error

    def _stored(self, value: Any, row: int) -> Any:
        try:
            return self.cells.stored(value)
        except ValueError as error:
            raise SpecError(f"row {row} of column `{self.sample}` of {self.rows.told} {error}") from error

    def _start(self) -> "hashlib._Hash":
        digest = hashlib.sha256()
        names = [str(self.sample), *(str(name) for name in self.others)]
        digest.update(json.dumps([_FORMAT, str(self.cells.kind), names]).encode())
        return digest

    def _add(self, digest: "hashlib._Hash", row: Sequence[Any]) -> None:
        for part in (self.cells.fingerprint(row[0]), repr(row[1:]).encode("utf-8", "surrogatepass")):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)


def _chunks(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    chunk: list[tuple[Any, ...]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
