"""One way to read the objects that programs keep samples in: the names of their columns, and their rows."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graft.core.errors import SpecError

ROWS_TOGETHER = 256
SPLIT = "split"
"""Column that says which part of a set in several parts a row is of."""


class Rows(Protocol):
    """An object with rows and named columns."""

    @property
    def told(self) -> str:
        """What it is, for messages."""

    @property
    def names(self) -> Sequence[Any]:
        """Of its columns, as it has them."""

    @property
    def files(self) -> Sequence[str]:
        """Of the columns that hold files, as the object itself says."""

    def __len__(self) -> int: ...

    def rows(self, names: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """The cells of some columns, row by row."""


@dataclass(frozen=True)
class Columns:
    """A mapping from names to arrays, series or lists of one length.

    Attributes:
        given: the mapping.
        told: what it is.
        files: columns that hold files.
    """

    given: Mapping[Any, Any]
    told: str = "the mapping"
    files: Sequence[str] = ()

    def __post_init__(self) -> None:
        lengths = {name: _length(name, column) for name, column in self.given.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"`{name}` {length}" for name, length in lengths.items())
            raise SpecError(f"the columns have different lengths ({shown}), but must have one row for each sample")

    @property
    def names(self) -> Sequence[Any]:
        return list(self.given)

    def __len__(self) -> int:
        return len(next(iter(self.given.values()), ()))

    def rows(self, names: Sequence[Any]) -> Iterator[Sequence[Any]]:
        return zip(*(self.given[name] for name in names), strict=True)


@dataclass(frozen=True)
class Records:
    """A list of mappings, one for each row."""

    given: Sequence[Mapping[Any, Any]]
    told: str = "the list"
    files: Sequence[str] = ()

    @property
    def names(self) -> Sequence[Any]:
        return list(dict.fromkeys(name for row in self.given for name in row))

    def __len__(self) -> int:
        return len(self.given)

    def rows(self, names: Sequence[Any]) -> Iterator[Sequence[Any]]:
        return ([row.get(name) for name in names] for row in self.given)


@dataclass(frozen=True)
class PandasRows:
    """A `pandas.DataFrame`."""

    given: Any
    told: str = "the DataFrame"
    files: Sequence[str] = ()

    @property
    def names(self) -> Sequence[Any]:
        return list(self.given.columns)

    def __len__(self) -> int:
        return len(self.given)

    def rows(self, names: Sequence[Any]) -> Iterator[Sequence[Any]]:
        return zip(*(self.given[name] for name in names), strict=True)


@dataclass(frozen=True)
class PolarsRows:
    """A `polars.DataFrame`."""

    given: Any
    told: str = "the DataFrame"
    files: Sequence[str] = ()

    @property
    def names(self) -> Sequence[Any]:
        return list(self.given.columns)

    def __len__(self) -> int:
        return int(self.given.height)

    def rows(self, names: Sequence[Any]) -> Iterator[Sequence[Any]]:
        found: Iterator[Sequence[Any]] = self.given.select(list(names)).iter_rows()
        return found


@dataclass(frozen=True)
class ArrowRows:
    """A `pyarrow.Table`, or what gives one: a Hugging Face data set, whose files are not decoded.

    Attributes:
        given: the table.
        told: what it is.
        files: columns that hold files.
        numbered: names of the values of columns that hold their numbers.
    """

    given: Any
    told: str = "the Table"
    files: Sequence[str] = ()
    numbered: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def names(self) -> Sequence[Any]:
        return list(self.given.column_names)

    def __len__(self) -> int:
        return int(self.given.num_rows)

    def rows(self, names: Sequence[Any]) -> Iterator[Sequence[Any]]:
        chosen = self.given.select(list(names))
        for batch in chosen.to_batches(max_chunksize=ROWS_TOGETHER):
            columns = [self._named(name, batch[name].to_pylist()) for name in names]
            yield from zip(*columns, strict=True)

    def _named(self, name: str, values: list[Any]) -> list[Any]:
        known = self.numbered.get(name)
        if known is None:
            return values
        return [_name(known, value) for value in values]


@dataclass(frozen=True)
class Parts:
    """Several sets, such as those of a Hugging Face DatasetDict, with a column that says which a row is of.

    Attributes:
        given: by the name of the split.
        told: what it is.
    """

    given: Mapping[str, Rows]
    told: str = "the data sets"

    @property
    def names(self) -> Sequence[Any]:
        first = next(iter(self.given.values()))
        return [*(name for name in first.names if name != SPLIT), SPLIT]

    @property
    def files(self) -> Sequence[str]:
        return next(iter(self.given.values())).files

    def __len__(self) -> int:
        return sum(len(part) for part in self.given.values())

    def rows(self, names: Sequence[Any]) -> Iterator[Sequence[Any]]:
        for split, part in self.given.items():
            wanted = [name for name in names if name != SPLIT]
            missing = [name for name in wanted if name not in part.names]
            if missing:
                raise SpecError(
                    f"{self.told} has no column `{missing[0]}` in its part `{split}`, but must have it in all"
                )
            for row in part.rows(wanted):
                cells = dict(zip(wanted, row, strict=True)) | {SPLIT: split}
                yield [cells[name] for name in names]


@dataclass(frozen=True)
class ItemRows:
    """A map-style data set, as torch has them: items of a sample and a label.

    Attributes:
        given: with ``__len__`` and ``__getitem__``.
        names: of the two.
        label_names: of the labels 0, 1, 2, …, where the set has any.
        files: columns that hold files.
    """

    given: Any
    names: Sequence[Any]
    label_names: Sequence[str] | None = None
    told: str = "the Dataset"
    files: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.given)

    def rows(self, names: Sequence[Any]) -> Iterator[Sequence[Any]]:
        for index in range(len(self.given)):
            item = self.given[index]
            if not isinstance(item, tuple | list) or len(item) != 2:
                raise SpecError(
                    f"item {index} of {self.told} is {_type(item)}, but must be a pair of sample and label; wrap it in "
                    "one that gives pairs"
                )
            label = plain(item[1])
            cells = {self.names[0]: item[0], self.names[1]: _name(self.label_names, label)}
            yield [cells[name] for name in names]


def find_column(rows: Rows, name: Any) -> Any:
    """A column as the object itself names it: `0` may be asked for by its number or as a text.

    Raises:
        SpecError: there is none, or there are two.
    """
    found = [one for one in rows.names if one == name] or [one for one in rows.names if str(one) == str(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise SpecError(f"{rows.told} has {len(found)} columns `{name}`, but must have one; rename the others")
    there = ", ".join(f"`{str(one)[:60]}`" for one in list(rows.names)[:20]) or "none"
    raise SpecError(f"{rows.told} has no column `{name}`, but must have it; its columns are {there}")


def check_names(rows: Rows, wanted: Sequence[Any]) -> None:
    """Check that columns stay apart when their names become texts.

    Raises:
        SpecError: two of them do not.
    """
    named = Counter(str(name) for name in wanted)
    twice = next((name for name, count in named.items() if count > 1), None)
    if twice is not None:
        raise SpecError(
            f"column `{twice}` of {rows.told} is named for two things, but samples, labels and what else is named must "
            "be different columns; name another"
        )


def plain(value: Any) -> Any:
    """A cell as plain Python: no scalar, array or missing value of another library."""
    if value is None or isinstance(value, str | bytes | bool):
        return value
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, tuple | set | frozenset):
        value = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
    if isinstance(value, list):
        return [plain(one) for one in value]
    return None if _is_missing(value) else value


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT, and pandas' NA, which is not even equal or unequal to itself."""
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _name(known: Sequence[str] | None, value: Any) -> Any:
    if known is None or not isinstance(value, int) or isinstance(value, bool):
        return [_name(known, one) for one in value] if isinstance(value, list) else value
    if value < 0:
        return None
    if value >= len(known):
        raise SpecError(f"a label is {value}, but there are names of {len(known)} labels only; check the data set")
    return str(known[value])


def _length(name: Any, column: Any) -> int:
    try:
        return len(column)
    except TypeError:
        rule = "but must have a length and hold a cell for each sample; make it a list"
        raise SpecError(f"column `{name}` is {_type(column)}, {rule}") from None


def _type(value: Any) -> str:
    return f"of type {type(value).__name__}"
