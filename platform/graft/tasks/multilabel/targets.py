"""From what a source says to labels: for each sample, which of them apply."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graft.core.errors import DataError
from graft.data.folders.label_names import check_names_differ
from graft.data.split import Split
from graft.data.targets import RawTargets, Targets
from graft.tasks.reading import LabelColumn, label_columns, one_column, rows_named, shown
from graft.tasks.separators import separator_question


def read_labels(raw: RawTargets, source: str, separator: str, known: Sequence[str] = ()) -> Targets:
    """Indicators uint8 [N, L] and the sorted names of the labels.

    A cell is a list, a set, or a text with labels between separators; an empty one has no label. Several columns of
    zeros and ones, or of yes and no, are indicators already. Where a model is to be scored that knows some, one label
    is enough.

    Raises:
        DataError: numbers, something in a list that is no label, fewer than two labels, or names that are one.
    """
    if isinstance(raw.values, np.ndarray) and raw.values.ndim == 2 and raw.values.shape[1] > 1 and not raw.categories:
        return _indicators(label_columns(raw, source))
    column = one_column(raw, source, "multilabel")
    column.require_one_form()
    _require_all(column, raw.missing, separator)
    if column.form == "numbers":
        raise DataError(
            f"{column.where} holds numbers ({column.examples()}), but multilabel needs lists, or texts separated by "
            f"`{separator}`; set task: classification or task: regression, or name a column of labels"
        )
    _check_no_indicators(column)
    _check_separator(column, separator)
    found = [_labels(column, row, separator) for row in range(len(column))]
    names = sorted({label for labels in found for label in labels})
    if not known:
        _require_two(names, column.where)
    check_names_differ(names, column.where, "labels")
    place = {name: k for k, name in enumerate(names)}
    values = np.zeros((len(found), len(names)), dtype=np.uint8)
    for row, labels in enumerate(found):
        values[row, [place[label] for label in labels]] = 1
    return Targets(values, tuple(names))


def _require_all(column: LabelColumn, missing: np.ndarray, separator: str) -> None:
    """An empty cell is none of the labels, or one that nobody has looked at.

    Raises:
        DataError: there is one.
    """
    if len(missing):
        raise DataError(
            f"{column.where} is empty in {rows_named(missing)}, which may mean that no label applies, or that nobody "
            f"has looked; write `{separator}` (or an empty list) where none applies, and remove the others"
        )


def _check_no_indicators(column: LabelColumn) -> None:
    """Lists of zeros and ones, all of one length, say which labels apply, but not what they are called.

    Raises:
        DataError: they are.
    """
    lists = [cell for cell in column.different if isinstance(cell, list)]
    lengths = {len(cell) for cell in lists}
    if len(lists) < len(column.different) or len(lengths) != 1 or min(lengths) < 2:
        return
    if all(isinstance(part, int) and part in (0, 1) for cell in lists for part in cell):
        raise DataError(
            f"{column.where} holds lists of zeros and ones ({column.examples()}), which name no labels; write the "
            "names of those that apply, or a column of zeros and ones for each label, and name these in data.label"
        )


def _check_separator(column: LabelColumn, separator: str) -> None:
    """Check that cells are not parted by another mark, where none is by this one.

    Raises:
        DataError: both readings.
    """
    if column.form != "words" or any(separator in cell for cell in column.different):
        return
    if question := separator_question(column, separator, is_sure=True):
        raise DataError(f"{question}, or each holds one (write `{separator}` behind one of them)")


def check_labels_left(targets: Targets, splits: np.ndarray, readable: np.ndarray, ids: Sequence[str]) -> None:
    """Check that no split has lost all its samples, and that no label has lost all those to learn it from.

    Raises:
        DataError: names the label or the split, and one of the samples.
    """
    for split in Split:
        lost = np.flatnonzero((splits == split) & ~readable)
        if len(lost) and not np.any((splits == split) & readable):
            raise _nothing_left(f"no readable sample is left for {split.name.lower()}", lost, ids)
    inside = splits == Split.TRAIN
    before, after = (targets.values[inside & kept].any(axis=0) for kept in (np.ones_like(readable), readable))
    for label in np.flatnonzero(before & ~after):
        lost = np.flatnonzero(inside & (targets.values[:, label] == 1))
        raise _nothing_left(f"label `{targets.names[label]}` has no readable sample left for train", lost, ids)


def _nothing_left(what: str, lost: np.ndarray, ids: Sequence[str]) -> DataError:
    others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return DataError(f"{what} ({ids[lost[0]]}{others} cannot be read); repair or remove what is unreadable")


def _labels(column: LabelColumn, row: int, separator: str) -> set[str]:
    cell = column.cells[row]
    if cell is None:
        return set()
    parts = cell if isinstance(cell, list) else cell.split(separator)
    return {text for part in parts if (text := _label(part, column, row))}


def _label(part: Any, column: LabelColumn, row: int) -> str:
    item = part.item() if isinstance(part, np.generic) else part
    if isinstance(item, str):
        return item.strip()
    if isinstance(item, int) and not isinstance(item, bool):
        return str(item)
    raise DataError(
        f"{column.where} holds {shown(item)} in the list of row {row + 1}, but a label is a text or a whole number; "
        "mend the cell or name another column"
    )


def _indicators(columns: Sequence[LabelColumn]) -> Targets:
    for column in columns:
        column.require_complete()
        if column.flags is None:
            raise DataError(
                f"{column.where} holds {column.examples()}, but several columns of labels must hold zeros and ones, or "
                "yes and no; name one column of lists or texts, or set task: regression if all hold numbers"
            )
    names = tuple(column.name or str(k) for k, column in enumerate(columns))
    values = np.stack([np.asarray(column.flags) for column in columns], axis=1).astype(np.uint8)
    return Targets(values, names)


def _require_two(names: Sequence[str], where: str) -> None:
    if len(names) < 2:
        told = f" ({names[0]})" if names else ""
        raise DataError(
            f"{where} has {len(names)} different label{'' if len(names) == 1 else 's'}{told}, but multilabel needs at "
            "least 2; add others or name another column"
        )
