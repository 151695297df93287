"""`task: auto`: which task the labels suggest, and whether they can have the one that was asked for."""

import numpy as np

from graft.core.errors import DataError
from graft.data.targets import RawTargets
from graft.spec.tasks.base import TaskSpec
from graft.spec.tasks.regression import Regression
from graft.tasks.reading import LabelColumn, are_many, has_fractions, is_measured, label_columns
from graft.tasks.registry import build_task
from graft.tasks.separators import separator_question

# Cells with a separator that make a column one of several labels; below, a `;` is a slip of the pen.
_SHARE_SEPARATED = 0.05


def infer_task(raw: RawTargets, separator: str = ";") -> tuple[str, str]:
    """The kind of task that labels suggest, and why, in a sentence for people.

    Args:
        raw: what the source says.
        separator: what stands between the labels of a cell.

    Raises:
        DataError: a cell holds something that is no label, or may as well be several.
    """
    if raw.categories:
        return "classification", f"each sample is in one of {len(raw.categories)} categories"
    columns = label_columns(raw, "the data")
    if len(columns) > 1:
        return _of_several(columns)
    column = columns[0]
    told = f"`{column.name}`" if column.name else "the label"
    if column.form == "lists":
        return "multilabel", f"{told} holds lists"
    if column.form == "words" and (reason := _separated(column, separator)):
        return "multilabel", f"{told} {reason}"
    if column.form == "numbers" and column.numbers is not None and (reason := _measured(column.numbers)):
        return "regression", f"{told} {reason}"
    if column.form == "words" and (reason := _written(column)):
        return "regression", f"{told} {reason}"
    if column.form == "words" and (question := separator_question(column, separator)):
        raise DataError(f"{question}, or each is the name of one class (write task: classification)")
    distinct = len({str(cell) for cell in column.different})
    return "classification", f"{told} holds {distinct} different values"


def check_fit(spec: TaskSpec, raw: RawTargets, source: str) -> None:
    """Check that labels can have a task.

    Args:
        spec: of the task.
        raw: what the source says.
        source: where it comes from, for people.

    Raises:
        DataError: they cannot: one line with what they hold, what the task needs, and both ways out.
    """
    build_task(spec).read(raw, source)


def how_read(spec: TaskSpec, raw: RawTargets) -> str:
    """How cells become numbers where they are not written as programs write them, to follow a reason; else empty.

    Args:
        spec: of a task that can have the labels.
        raw: what the source says.
    """
    if not isinstance(spec, Regression) or raw.categories:
        return ""
    words = [column for column in label_columns(raw, "the data") if column.form == "words"]
    told = {column.name or "the label": written.told for column in words if (written := column.written(spec.decimal))}
    return "".join(f"; `{name}` holds numbers, {reading}" for name, reading in told.items() if reading)


def _of_several(columns: tuple[LabelColumn, ...]) -> tuple[str, str]:
    if all(column.flags is not None for column in columns):
        are_words = any(column.form == "words" for column in columns)
        return "multilabel", f"{len(columns)} label columns of {'yes and no' if are_words else 'zeros and ones'}"
    if all(column.numbers_however_written is not None for column in columns):
        return "regression", f"{len(columns)} label columns of numbers"
    return "classification", f"{len(columns)} label columns, not all of numbers"


def _separated(column: LabelColumn, separator: str) -> str:
    present = [cell for cell in column.cells if cell is not None]
    with_separator = sum(separator in cell for cell in present)
    parts = [part.strip() for cell in present for part in cell.split(separator) if part.strip()]
    distinct = len(set(parts))
    # Sentences may hold a separator too, but no two of them share what stands between.
    if with_separator < max(1, _SHARE_SEPARATED * len(present)) or 2 * distinct > len(parts):
        return ""
    return f"holds {distinct} labels, separated by `{separator}` in {with_separator / len(column):.0%} of the rows"


def _measured(numbers: np.ndarray) -> str:
    if not is_measured(numbers):
        return ""
    distinct = len(np.unique(numbers[~np.isnan(numbers)]))
    return f"holds {distinct} different numbers{', some with fractions' if has_fractions(numbers) else ''}"


def _written(column: LabelColumn) -> str:
    """Numbers with decimal commas, thousands or units: a few of them may be names of classes, many are not.

    Raises:
        DataError: they are many, and can be read in two ways, or in none.
    """
    written = column.written()
    if written is None:
        return ""
    if written.question:
        if are_many(len(column.different), len(column)):
            raise DataError(f"{column.where} {written.question}")
        return ""
    reason = _measured(column.taken_from(written))
    return f"{reason}, {written.told}" if reason else ""
