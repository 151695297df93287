"""The samples of a streamed dataset: decoded where they are asked for, or ahead of that by somebody else."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.core.errors import DataError, ResourceError
from graft.data.augmentation.draws import Rows
from graft.data.columns import ColumnSpec, Ragged
from graft.data.decoding.ahead import decoded
from graft.data.streaming.reading import Reading

if TYPE_CHECKING:
    from graft.data.listing import Decoder

SOURCES = ColumnSpec("sources", "uint8", None)
"""What the decoder needs to get at each sample."""
DIGESTS = ColumnSpec("sha256", "uint8", (32,))
"""Of each sample's content, as it was at ingest."""
STREAMED = (SOURCES, DIGESTS)
"""What is stored of the samples of a streamed dataset, in place of their columns."""


@dataclass(frozen=True)
class Samples:
    """The samples, by row. Picklable: whoever gets this maps the files of the dataset.

    Attributes:
        directory: of the dataset.
        column: what is decoded.
        decoder: decodes it.
    """

    directory: Path
    column: ColumnSpec
    decoder: "Decoder"

    def decode(self, rows: Rows) -> np.ndarray:
        """Samples [n, *shape] of rows [n].

        Raises:
            DataError: one is gone, or is not what it was at ingest.
            ResourceError: one cannot be had at the moment.
        """
        sources, digests = self.sources(), self._map("sha256.npy")
        block = decoded(self.decoder, [sources.row(int(row)).tobytes() for row in rows])
        for place, row in enumerate(rows):
            if block.reasons[place]:
                told = f"{self._name(row)} {block.reasons[place]}, but could be read at ingest"
                kind = ResourceError if place in block.passing else DataError
                raise kind(f"{told}; put it back, or start a new experiment with `graft run`")
            if bytes.fromhex(block.digests[place]) != digests[row].tobytes():
                raise DataError(
                    f"{self._name(row)} has changed since ingest, but samples that are streamed must stay as they "
                    "are; put it back, or start a new experiment with `graft run`"
                )
        found = block.columns[self.column.name]
        assert isinstance(found, np.ndarray), "streamed samples are of one shape"
        return found

    def sources(self) -> Ragged:
        """What the decoder is given, by row."""
        return Ragged(self._map("sources.npy"), self._map("sources.offsets.npy"))

    def _map(self, name: str) -> np.ndarray:
        array: np.ndarray = np.load(self.directory / name, mmap_mode="r", allow_pickle=False)
        return array

    def _name(self, row: int) -> str:
        from graft.data.dataset import row_columns

        return str(row_columns(self.directory, "id")["id"][int(row)])


ReadAhead = Callable[[Samples, Reading, int], Generator[np.ndarray, None, None]]
"""``read_ahead(samples, reading, rank)``: the samples that this process is going to ask for, block by block, decoded
elsewhere while it computes."""


class StreamedColumn:
    """A column of samples that are decoded when they are asked for.

    Args:
        samples: what is decoded.
        rows: how many there are.
        read_ahead: decodes elsewhere what `ahead` announces; None decodes everything here.
    """

    def __init__(self, samples: Samples, rows: int, read_ahead: ReadAhead | None = None) -> None:
        self._samples, self._rows, self._read_ahead = samples, rows, read_ahead
        self._cursor: _Cursor | None = None

    def __len__(self) -> int:
        return self._rows

    @property
    def dtype(self) -> np.dtype:
        """Of the samples."""
        return np.dtype(self._samples.column.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, *shape of a sample]."""
        return (self._rows, *(self._samples.column.shape or ()))

    def __getitem__(self, rows: Rows | int) -> np.ndarray:
        """The samples [n, *shape] of rows [n], or one of them."""
        if isinstance(rows, int | np.integer):
            only: np.ndarray = self._samples.decode(np.array([rows]))[0]
            return only
        return self._cursor.take(rows) if self._cursor else self._samples.decode(rows)

    def read_by(self, read_ahead: ReadAhead) -> "StreamedColumn":
        """The same samples, decoded elsewhere."""
        return StreamedColumn(self._samples, self._rows, read_ahead)

    @contextmanager
    def ahead(self, reading: Reading, rank: int) -> Iterator[None]:
        """Meanwhile samples are asked for batch by batch, as announced, and in no other way.

        Args:
            reading: what all processes ask for.
            rank: which of them this is.
        """
        if self._read_ahead is None:
            yield
            return
        before = self._cursor
        with closing(self._read_ahead(self._samples, reading, rank)) as blocks:
            self._cursor = _Cursor(blocks, self._samples.column)
            try:
                yield
            finally:
                self._cursor = before


def streamed_columns(directory: Path, columns: Sequence[ColumnSpec], decoder: "Decoder") -> dict[str, StreamedColumn]:
    """The columns of a streamed dataset in a directory, by name."""
    rows = len(np.load(directory / "sha256.npy", mmap_mode="r", allow_pickle=False))
    from graft.data.listing import without_signs

    blind = without_signs(decoder)  # an ingest has looked at the samples
    return {spec.name: StreamedColumn(Samples(directory, spec, blind), rows) for spec in columns}


class _Cursor:
    """Cuts batches out of blocks of other sizes."""

    def __init__(self, blocks: Iterator[np.ndarray], column: ColumnSpec) -> None:
        self._blocks, self._column = blocks, column
        self._left = np.empty((0, *(column.shape or ())), column.dtype)

    def take(self, rows: Rows) -> np.ndarray:
        """The next samples, as many as there are rows.

        Raises:
            ValueError: there are no more.
        """
        parts: list[np.ndarray] = []
        missing = len(rows)
        while missing:
            if not len(self._left):
                following = next(self._blocks, None)
                if following is None:
                    raise ValueError(f"{missing} samples were asked for beyond what was announced")
                self._left = following
            parts.append(self._left[:missing])
            self._left = self._left[missing:]
            missing -= len(parts[-1])
        return parts[0] if len(parts) == 1 else np.concatenate(parts or [self._left[:0]])
