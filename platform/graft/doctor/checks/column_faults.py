"""What is wrong with a column of a table: constant, a copy of another, an identifier, or the label in other words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_BINS = 64
_MOST_VALUES = 0.3
"""Values that differ in more of the rows cannot be learnt one by one."""
_LEAK = 0.9
"""Share of the mistakes of the commonest label that a column takes away."""
_CORRELATED = 0.999
_FEWEST = 20


@dataclass(frozen=True)
class ColumnFault:
    """One fault.

    Attributes:
        kind: of the finding.
        column: that has it.
        told: what it is, to fit behind its name.
    """

    kind: str
    column: str
    told: str


def column_faults(columns: Mapping[str, Sequence[Any]], label: Sequence[Any]) -> Iterator[ColumnFault]:
    """The faults of columns, one of each at the most.

    Args:
        columns: values by name, None where there is none; of the same rows.
        label: what is to be predicted.
    """
    seen: dict[tuple[str, ...], str] = {}
    for name, values in columns.items():
        texts = tuple("" if value is None else str(value) for value in values)
        distinct, earlier = len(set(texts)), seen.setdefault(texts, name)
        if distinct <= 1:
            yield ColumnFault("constant_column", name, f"is `{texts[0][:40]}` in every row" if texts[0] else "is empty")
        elif earlier != name:
            yield ColumnFault("duplicate_column", name, f"has the values of `{earlier}`")
        elif len(texts) >= _FEWEST and (told := _leak(values, texts, label)):
            yield ColumnFault("leaking_column", name, told)
        elif distinct == len(texts) >= _FEWEST and not _are_measured(values):
            yield ColumnFault("identifier_column", name, "is another in every row")


def _leak(values: Sequence[Any], texts: Sequence[str], label: Sequence[Any]) -> str:
    """What a column says of the label; empty if little."""
    numbers, wanted = _numbers(values), _numbers(label)
    if numbers is not None and wanted is not None and len(set(label)) > _BINS:
        known = np.isfinite(numbers) & np.isfinite(wanted)
        if known.sum() < _FEWEST or not numbers[known].std() or not wanted[known].std():
            return ""
        found = abs(float(np.corrcoef(numbers[known], wanted[known])[0, 1]))
        return f"is the label by another measure (correlation {found:.4f})" if found >= _CORRELATED else ""
    codes = np.unique([str(one) for one in label], return_inverse=True)[1]
    base = float(np.bincount(codes).max() / len(codes))
    keys = np.unique(np.array(texts), return_inverse=True)[1]
    if numbers is not None and keys.max() >= _BINS:
        keys = _intervals(numbers, codes)
    if base > 0.98 or keys.max() >= _MOST_VALUES * len(keys):
        return ""
    found = _held_out_share(keys, codes)
    return f"alone predicts {found:.1%} of the labels" if found - base >= _LEAK * (1 - base) else ""


def _intervals(numbers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """int64 [n], which of at most 16 intervals each number lies in; a tree of one column finds where they end."""
    from sklearn.tree import DecisionTreeClassifier

    column = np.nan_to_num(numbers)[:, None]
    fewest = max(len(numbers) // 50, 2)
    tree = DecisionTreeClassifier(max_leaf_nodes=16, min_samples_leaf=fewest, random_state=0).fit(column, labels)
    return np.unique(tree.apply(column), return_inverse=True)[1].astype(np.int64)


def _held_out_share(keys: np.ndarray, labels: np.ndarray) -> float:
    """Share of the rows whose label is the commonest one among the rows of the other half with the same value."""
    order = np.random.default_rng(0).permutation(len(keys))
    halves = order[::2], order[1::2]
    right = 0
    for training, held in (halves, halves[::-1]):
        votes = np.zeros((int(keys.max()) + 1, int(labels.max()) + 1))
        np.add.at(votes, (keys[training], labels[training]), 1)
        # Of a value that the other half does not have, nothing is known.
        right += int(((votes.argmax(axis=1)[keys[held]] == labels[held]) & (votes.sum(axis=1)[keys[held]] > 0)).sum())
    return right / len(keys)


def _are_measured(values: Sequence[Any]) -> bool:
    """Whether they are numbers with fractions, or long texts: such differ in every row without being identifiers."""
    numbers = _numbers(values)
    if numbers is not None:
        return bool((np.isfinite(numbers) & (numbers != np.floor(numbers))).any())
    return sum(len(str(value).split()) for value in values) > 3 * len(values)


def _numbers(values: Sequence[Any]) -> np.ndarray | None:
    """float64 [n], NaN where there is none; None if a value is no number."""
    try:
        return np.array([np.nan if value in (None, "") else float(value) for value in values])
    except (TypeError, ValueError):
        return None
