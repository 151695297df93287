"""Tables separated by commas, semicolons, bars or tabs. Every field is read as text; only an empty one is missing."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TextIO

import pyarrow as pa
from pyarrow import csv as arrow_csv

from graft.core.errors import DataError
from graft.core.passing_errors import machine_errors
from graft.data.contents.coded import Coded
from graft.data.contents.spool import Spool
from graft.data.tables.encoding import MAX_LINE_BYTES, check_encoding, is_utf8
from graft.data.tables.labels import as_numbers
from graft.data.tables.rows import append_samples, column_named, require_columns

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_OTHERS = (";", "\t", "|", ",")
_SAYS_MARK = re.compile(r'"?sep=.?"?\n')
# Arrow reads 32 blocks ahead; a row may lie in two of them, and in no more.
_BLOCKS_BYTES = (1024**2, 8 * 1024**2, MAX_LINE_BYTES)
_NEAR_TOP = 20
_RAGGED = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)")


class DelimitedTable:
    """A CSV or TSV file.

    Args:
        path: of the file.
        encoding: of the file.

    Raises:
        DataError: it is not text of this encoding.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        check_encoding(path, encoding)
        self._path = path
        self._encoding = "utf-8-sig" if is_utf8(encoding) else encoding

    @cached_property
    def names(self) -> list[str]:
        """Of the columns."""
        return self._header[1]

    @property
    def _delimiter(self) -> str:
        return self._header[0]

    @cached_property
    def _header(self) -> tuple[str, list[str]]:
        """What stands between the columns, and their names: another mark than usual if it alone makes several of them.

        Where the decimal mark is a comma, spreadsheets write semicolons.
        """
        usual = DELIMITERS[self._path.suffix.lower()]
        first = self._first_row(usual)
        if len(first) != 1:
            return usual, first
        found = [(mark, self._first_row(mark)) for mark in _OTHERS if mark in first[0]]
        return max(found, key=lambda one: len(one[1]), default=(usual, first))

    def _first_row(self, delimiter: str) -> list[str]:
        with self._lines() as stream:
            try:
                rows = csv.reader(stream, delimiter=delimiter)
                return next((row for row in rows if row), [])  # Arrow passes empty lines, too
            except csv.Error as error:
                raise DataError(f"{self._path}: the header cannot be read ({error}); check the first line") from error

    def wider_line(self) -> int | None:
        """The first line near the top with more than one cell that holds something; None if there is none."""
        with self._lines() as stream:
            for mark in dict.fromkeys((self._delimiter, *_OTHERS)):
                stream.seek(0)
                rows = csv.reader(stream, delimiter=mark)
                with suppress(csv.Error):
                    for row in itertools.islice(rows, _NEAR_TOP):
                        if sum(bool(cell.strip()) for cell in row) > 1:
                            return rows.line_num
        return None

    @contextmanager
    def _lines(self) -> Iterator[TextIO]:
        """The file behind the line in which a spreadsheet says what stands between its columns."""
        with self._path.open(encoding=self._encoding, newline="") as stream:
            for _ in range(self._skipped):
                stream.readline()
            yield stream

    @cached_property
    def _skipped(self) -> int:
        with self._path.open(encoding=self._encoding) as stream:
            return int(_SAYS_MARK.fullmatch(stream.readline(20)) is not None)

    def read(self, sample: str, others: Sequence[str]) -> tuple[Sequence[bytes], dict[str, Coded]]:
        """Samples and values; other columns in which every value is written as a number hold numbers."""
        require_columns(self._path, self.names, [sample, *others])
        there = {name: column_named(name, self.names) for name in (sample, *others)}
        samples, columns = self._columns(there[sample], list(dict.fromkeys(there[name] for name in others)))
        return samples, {name: as_numbers(columns[there[name]]) for name in others}

    def contents(self, sample: str) -> None:
        """Samples are texts."""

    def _columns(self, sample: str, others: list[str]) -> tuple[Spool, dict[str, Coded]]:
        try:
            with machine_errors(self._path):
                return self._in_blocks(sample, others)
        except (pa.ArrowInvalid, OSError, UnicodeError) as error:
            raise self._fault(error) from error

    def _in_blocks(self, sample: str, others: list[str]) -> tuple[Spool, dict[str, Coded]]:
        for block_bytes in _BLOCKS_BYTES:
            samples, values = Spool(), {name: Coded() for name in others}
            try:
                for batch in self._parsed(list(dict.fromkeys([sample, *others])), block_bytes):
                    append_samples(samples, batch[sample], f"column `{sample}` of {self._path.name}")
                    for name in others:
                        values[name].extend(batch[name].to_pylist())
            except pa.ArrowInvalid as error:
                # A row longer than a block: once more, with larger ones.
                if "straddling" not in str(error):
                    raise
            else:
                return samples, values
        raise DataError(
            f"{self._path} has a row of more than {MAX_LINE_BYTES >> 20} MiB somewhere behind row {len(samples)}, but "
            "no sample is as long; close every quote, or check the file"
        )

    def _parsed(self, columns: list[str], block_bytes: int) -> Iterator[pa.RecordBatch]:
        # In one thread, because only then a damaged row has a number.
        encoding = "utf8" if self._encoding == "utf-8-sig" else self._encoding
        with arrow_csv.open_csv(
            self._path,
            arrow_csv.ReadOptions(
                use_threads=False, block_size=block_bytes, encoding=encoding, skip_rows=self._skipped
            ),
            arrow_csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True, ignore_empty_lines=True),
            arrow_csv.ConvertOptions(
                include_columns=columns,
                column_types={name: pa.large_string() for name in columns},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        ) as reader:
            yield from reader

    def _fault(self, error: Exception) -> DataError:
        found = _RAGGED.search(str(error))
        if found is None:
            return DataError(f"{self._path} cannot be read as a table ({_one_line(error)}); check the file")
        line, got = self._ragged_line() or (found.group(1), found.group(3))
        fields = "1 field" if str(got) == "1" else f"{got} fields"
        marks = {"\t": "tabs", ",": "commas"}.get(self._delimiter, f"`{self._delimiter}`")
        return DataError(
            f"{self._path}, line {line} has {fields}, but the header has {found.group(2)}; quote texts that hold "
            f"{marks} or line breaks, and close every quote"
        )

    def _ragged_line(self) -> tuple[int, int] | None:
        """Where the first row of another length begins, and how many fields it has: Arrow counts rows, not lines."""
        begin = 1
        with self._lines() as stream:
            rows = csv.reader(stream, delimiter=self._delimiter)
            try:
                for row in rows:
                    if row and len(row) != len(self.names):
                        return begin + self._skipped, len(row)
                    begin = rows.line_num + 1
            except csv.Error:
                pass
        return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
