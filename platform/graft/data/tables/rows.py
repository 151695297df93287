"""What the readers of all kinds of tables have in common: named columns, and where samples are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from graft.core.errors import DataError
from graft.core.unicode_form import nearest, spelled_like
from graft.data.contents.coded import Coded
from graft.data.contents.parts import Contents
from graft.data.contents.spool import Spool
from graft.data.tables.encoding import MAX_LINE_BYTES

_NAMED_COLUMNS = 20
_MOST_COLUMNS = 100_000


class Table(Protocol):
    """A table in a file, of which only the header has been read."""

    @property
    def names(self) -> Sequence[str]:
        """Of its columns, as they stand there."""

    def read(self, sample: str, others: Sequence[str]) -> tuple[Sequence[bytes], dict[str, Coded]]:
        """The samples as UTF-8, empty where there is none, and the values of other columns, None where there is none.

        Args:
            sample: column of the samples: of texts, or of the names of files.
            others: further columns.

        Raises:
            DataError: a row is damaged, or the column of the samples holds no texts.
        """

    def contents(self, sample: str) -> Contents | None:
        """What reads the samples, if `read` gives their places and not their texts: they are files in a column.

        Raises:
            DataError: there is no such column.
        """


def append_samples(samples: Spool, column: Any, told: str) -> None:
    """Add the texts of some rows.

    Args:
        samples: of the rows before.
        column: a `pyarrow.Array` of texts.
        told: the column, for messages.

    Raises:
        DataError: one is larger than any sample.
    """
    for text in column.cast("large_binary").to_pylist():
        if text is not None and len(text) > MAX_LINE_BYTES:
            raise DataError(
                f"{told} has {len(text) >> 20} MiB in row {len(samples) + 1}, but no sample is as large; close every "
                "quote, or check that it is the right column"
            )
        samples.append(text or b"")


def require_columns(path: Path, there: Sequence[str], wanted: Sequence[str]) -> None:
    """All of these columns are there, each once.

    Raises:
        DataError: some are missing, which are named together, or one is there twice.
    """
    if len(there) > _MOST_COLUMNS:
        raise DataError(f"{path} has {len(there)} columns, but may have {_MOST_COLUMNS}; is it the right file?")
    counts = {name: len(spelled_like(name, there)) for name in wanted}
    if missing := [name for name, count in counts.items() if not count]:
        raise DataError(_without(path, missing, there))
    for name, count in counts.items():
        if count > 1:
            raise DataError(f"{path.name} has {count} columns `{name}`, but must have one; rename the others")


def column_named(name: str, there: Sequence[str]) -> str:
    """A column as the table writes its name; `require_columns` has seen to it that there is one."""
    return spelled_like(name, there)[0]


def shown_columns(there: Sequence[str]) -> str:
    """The names of columns, for a message."""
    shown = [f"`{one if len(one) <= 60 else one[:59] + '…'}`" for one in there[:_NAMED_COLUMNS]]
    more = f" and {len(there) - _NAMED_COLUMNS} more" if len(there) > _NAMED_COLUMNS else ""
    return (", ".join(shown) or "none at all") + more


def _without(path: Path, missing: Sequence[str], there: Sequence[str]) -> str:
    near = [one for name in missing if (one := nearest(name, [one[:100] for one in there[:1000]], 0.5))]
    hint = f"; did you mean {' and '.join(f'`{one}`' for one in dict.fromkeys(near))}?" if near else ""
    noun, them = ("column", "it") if len(missing) == 1 else ("columns", "them")
    return (
        f"{path.name} has no {noun} {' and '.join(f'`{name}`' for name in missing)}, but must have {them}; its columns "
        f"are {shown_columns(there)}{hint}"
    )
