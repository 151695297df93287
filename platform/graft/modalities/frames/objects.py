"""Which of the objects that samples come in is given. No library is imported for this: who has an object has it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graft.core.errors import SpecError
from graft.data.splits.names import split_of
from graft.modalities.frames.rows import ArrowRows, Columns, ItemRows, PandasRows, Parts, PolarsRows, Records, Rows

KNOWN = (
    "a pandas or Polars DataFrame, a pyarrow Table, a Hugging Face Dataset or DatasetDict, a torch Dataset, a mapping "
    "of names to arrays or lists, or a list of mappings"
)
PAIR = ("sample", "label")
"""Columns of a data set that gives pairs."""


def rows_of(given: Any) -> Rows:
    """The rows of an object.

    Raises:
        SpecError: it is of no kind that is read; the message names those that are.
    """
    reader = _READERS.get((_home(given), type(given).__name__))
    if reader is not None:
        return reader(given)
    if remedy := _REMEDIES.get((_home(given), type(given).__name__)):
        raise _refused(given, remedy)
    if _is_torch(given):
        return _items(given)
    if isinstance(given, Mapping):
        return Columns(given)
    is_list = isinstance(given, Sequence) and not isinstance(given, str | bytes)
    if is_list and given and all(isinstance(one, Mapping) for one in given):
        return Records(given)
    raise _refused(given, f"give {KNOWN}")


def _home(given: Any) -> str:
    """The package that an object's class comes from."""
    return type(given).__module__.partition(".")[0]


def _refused(given: Any, remedy: str) -> SpecError:
    return SpecError(f"the data are of type {_home(given)}.{type(given).__name__}, which is not read; {remedy}")


def _hub_rows(given: Any) -> ArrowRows:
    """A Hugging Face data set: its table, with the rows that it selects, the files in it as they are."""
    files = [name for name, feature in given.features.items() if type(feature).__name__ == "Image"]
    numbered = {name: names for name, feature in given.features.items() if (names := _names(feature))}
    table = given.with_format("arrow")
    whole = given.data.table if given._indices is None else table[:]
    return ArrowRows(whole, "the Dataset", files, numbered)


def _names(feature: Any) -> list[str] | None:
    """The names of the values of a feature, or of the members of its lists."""
    inside = getattr(feature, "feature", None)
    found = getattr(feature if inside is None else inside, "names", None)
    return list(found) if found else None


def _parts(given: Mapping[str, Any]) -> Rows:
    if not given:
        raise SpecError("the DatasetDict is empty, but must hold at least one Dataset")
    known = {name: _hub_rows(part) for name, part in given.items() if split_of(name)}
    if not known:
        names = ", ".join(f"`{name}`" for name in list(given)[:12])
        raise SpecError(f"the DatasetDict has the parts {names}, but must have `train`; give one of them")
    return Parts(known, "the DatasetDict")


def _is_torch(given: Any) -> bool:
    return any(kind.__module__.startswith("torch.utils.data") for kind in type(given).__mro__)


def _items(given: Any) -> Rows:
    if not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
        raise _refused(given, "give a map-style one, with __len__ and __getitem__")
    names = getattr(given, "classes", None)
    return ItemRows(given, PAIR, [str(name) for name in names] if names else None)


_READERS: Mapping[tuple[str, str], Callable[[Any], Rows]] = {
    ("pandas", "DataFrame"): PandasRows,
    ("polars", "DataFrame"): PolarsRows,
    ("pyarrow", "Table"): ArrowRows,
    ("datasets", "Dataset"): _hub_rows,
    ("datasets", "DatasetDict"): _parts,
}
_REMEDIES = {
    ("polars", "LazyFrame"): "give `frame.collect()`",
    ("datasets", "IterableDataset"): "load it without streaming",
    ("datasets", "IterableDatasetDict"): "load it without streaming",
    ("pandas", "Series"): "give a DataFrame with a column of samples and one of labels",
    ("polars", "Series"): "give a DataFrame with a column of samples and one of labels",
    ("pyarrow", "RecordBatchReader"): "give `reader.read_all()`",
}
