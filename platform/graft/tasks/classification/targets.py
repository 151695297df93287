"""From what a source says to classes: a code of each sample, and the names of the codes."""

from collections.abc import Sequence

import numpy as np

from graft.core.errors import DataError
from graft.data.folders.label_names import check_label_names
from graft.data.split import Split
from graft.data.tables.labels import label_name
from graft.data.targets import RawTargets, Targets
from graft.tasks.reading import LabelColumn, has_fractions, number_in, one_column


def read_classes(raw: RawTargets, source: str, known: Sequence[str] = ()) -> Targets:
    """Codes int64 [N] and names of the classes.

    Classes that the source names keep its order; those of a column are sorted, numbers by their value. Where a model
    is to be scored that knows some, one is enough, and numbers are their names, however many there are.

    Raises:
        DataError: no label, several columns, a missing label, one class only, names that differ only in case, lists,
            or numbers that are values of a scale.
    """
    if raw.categories and isinstance(raw.values, np.ndarray):
        if not known:
            check_label_names(raw.categories, source, raw.alone)
        return Targets(raw.values.astype(np.int64, copy=False), raw.categories)
    column = one_column(raw, source, "classification")
    column.require_one_form()
    if column.form == "lists":
        raise DataError(
            f"{column.where} holds lists ({column.examples()}), but classification needs one class for each sample; "
            "set task: multilabel, or name a column of classes"
        )
    column.require_complete()
    if not known:
        _check_scale(column)
    texts = [label_name(cell) for cell in column.cells.different]
    names = sorted(set(texts), key=_place if column.numbers is not None else None)
    if not known:
        check_label_names(names, column.where)
    codes = {name: code for code, name in enumerate(names)}
    return Targets(column.cells.taken([codes[text] for text in texts], np.int64), tuple(names))


def check_classes_left(targets: Targets, splits: np.ndarray, readable: np.ndarray, ids: Sequence[str]) -> None:
    """Check that no class has lost all its samples of a split.

    Args:
        targets: of all rows.
        splits: uint8 [N].
        readable: bool [N], which rows could be decoded.
        ids: N names.

    Raises:
        DataError: names the class, the split and one of the files.
    """
    labels = targets.values
    for split in Split:
        inside = splits == split
        for label in np.setdiff1d(labels[inside], labels[inside & readable]):
            lost = np.flatnonzero(inside & (labels == label))
            others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise DataError(
                f"class `{targets.names[label]}` has no readable sample left for {split.name.lower()} "
                f"({ids[lost[0]]}{others} cannot be read); repair or remove what is unreadable"
            )


def _check_scale(column: LabelColumn) -> None:
    numbers, written = column.numbers_however_written, column.written()
    if written is not None and written.question and 2 * len(column.different) > len(column):
        raise DataError(f"{column.where} {written.question}")
    if numbers is None:
        return
    distinct = len(np.unique(numbers))
    # Whole numbers may name classes, unless hardly any of them comes twice; numbers with fractions seldom do.
    most = max(20, (0.05 if has_fractions(numbers) else 0.5) * len(numbers))
    if distinct > most:
        raise DataError(
            f"{column.where} holds {distinct} different numbers in {len(numbers)} rows, but classification needs a few "
            "classes with several samples each; set task: regression, or name a column of classes"
        )


def _place(name: str) -> tuple[float, str]:
    number = {"false": 0.0, "true": 1.0}.get(name, number_in(name))
    return (0.0 if number is None else number, name)
