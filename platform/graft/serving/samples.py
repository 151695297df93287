"""What a caller hands over to be predicted: one sample, many of them, or a table. Whatever else is refused by name."""

import io
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import SpecError
from graft.core.escaping import escaped
from graft.core.unicode_form import spelled_like
from graft.data.overview import told_ignored
from graft.modalities.finding import left_out_of
from graft.modalities.protocol import Modality
from graft.spec.modalities.base import Preprocessing

_LOG = logging.getLogger(__name__)


def samples_of(given: Any, modality: Modality, preprocessing: Preprocessing) -> list[Any]:
    """The samples that are meant, as the modality's reader takes them; None where a table has none.

    Args:
        given: a sample; a list, a tuple, an iterator, an array or a pandas series of them; a DataFrame with a column of
            them; the name of a folder or of a table.
        modality: says what is a sample.
        preprocessing: of the bundle.

    Raises:
        SpecError: it is nothing of this; the message names its type, and says what to give.
    """
    found = [None if is_missing(one) else _plain(one) for one in _unpacked(given, modality, preprocessing)]
    odd = next((place for place, one in enumerate(found) if one is not None and not modality.is_sample(one)), None)
    if odd is not None:
        raise SpecError(f"sample {odd} is {_kind(found[odd])}, but must be {modality.forms}")
    return found


def paths_of(given: Any) -> list[Path]:
    """The names of files that are meant by one of them or by several.

    Raises:
        SpecError: it is something else.
    """
    if isinstance(given, str | os.PathLike):
        return [Path(given)]
    if not isinstance(given, Sequence | Iterator) or isinstance(given, bytes | bytearray | memoryview):
        raise _no_path(given)
    found = list(given)
    for one in found:
        if not isinstance(one, str | os.PathLike):
            raise _no_path(one)
    return [Path(one) for one in found]


def tell_left_out(found: Sequence[Any]) -> None:
    """Say what of the folders that somebody has named is not predicted."""
    if ignored := left_out_of(found):
        _LOG.warning("left out: %s", escaped(told_ignored(ignored)))


def is_missing(value: Any) -> bool:
    """Whether a cell of a table is empty: None, NaN, or what pandas has for them."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _unpacked(given: Any, modality: Modality, preprocessing: Preprocessing) -> Sequence[Any]:
    if _is_of_pandas(given, "DataFrame"):
        return _of_frame(given, modality, preprocessing)
    if _is_of_pandas(given, "Series"):
        return list(given.tolist())
    one = _plain(given)
    if modality.is_sample(one):
        if modality.names_file(one) and os.path.exists(one):
            found = modality.find([one], preprocessing)
            tell_left_out(found)
            return found
        return [one]
    if isinstance(one, np.ndarray) and one.ndim:
        return list(one)
    if isinstance(one, Sequence | Iterator) and not isinstance(one, str | bytes | io.IOBase):
        return list(one)
    raise SpecError(
        f"{_kind(given)} is given to predict, but must be {modality.forms}; or a list, an array or a DataFrame of these"
    )


def _of_frame(table: Any, modality: Modality, preprocessing: Preprocessing) -> list[Any]:
    wanted = modality.table_columns(preprocessing)
    named = [column for column in table.columns if isinstance(column, str)]
    column = next((there for name in wanted for there in spelled_like(name, named)), None)
    if column is None:
        there = ", ".join(map(str, table.columns)) or "no columns"
        raise SpecError(f"the table has {there}, but needs a column {' or '.join(f'`{name}`' for name in wanted)}")
    if getattr(table[column], "ndim", 1) != 1:
        raise SpecError(f"the table has several columns `{column}`, but needs one; rename the others")
    return list(table[column].tolist())


def _plain(value: Any) -> Any:
    """The same in fewer types: bytes, and paths. An opened file is what it holds, not its lines."""
    if isinstance(value, io.IOBase) and isinstance(content := value.read(), bytes):
        return content
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, os.PathLike) and not isinstance(value, Path):
        return Path(os.fsdecode(value))
    return value


def _is_of_pandas(value: Any, name: str) -> bool:
    """Without importing pandas: whoever has such a value, has imported it."""
    return any(kind.__name__ == name and kind.__module__.partition(".")[0] == "pandas" for kind in type(value).__mro__)


def _no_path(value: Any) -> SpecError:
    rule = "must be the name of a file, a folder or a table, or a list of them"
    return SpecError(f"{_kind(value)} is given, but {rule}")


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    shape = getattr(value, "shape", None)
    return f"of type {type(value).__name__}" + (f" and shape {tuple(shape)}" if isinstance(shape, tuple) else "")
