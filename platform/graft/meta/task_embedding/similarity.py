"""How like two tasks are, in the sense that what is best on one is likely to be good on the other.

Entries are compared in units of their usual spread over tasks, group by group, and the groups are weighed
(docs/memory.md has the figures). Tasks of different modalities have nothing in common; those of different questions a
little. Where vectors are of different versions, or one is missing, what the data alone say decides, and the similarity
is bounded, because less is known.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from graft.meta.memory.records import TaskEntry
from graft.meta.task_embedding.vector import GROUPS, NAMES, SKETCHED

META_SCALES: Mapping[str, float] = {
    "log_rows": 0.5,
    "log_outputs": 0.4,
    "log_rows_per_output": 0.5,
    "balance": 0.1,
    "smallest_share": 0.4,
    "log_length": 0.4,
    "spread_of_length": 0.25,
    "overlap": 0.2,
}
SPREADS = (0.23, 0.27, 0.22, 0.25, 0.05, 0.18, 0.18, 0.2, 0.06, 0.12, 0.1, 0.1, *[0.2] * (2 * SKETCHED))
"""Usual spread of each entry of a vector over the tasks of a modality (tests/assets/bank)."""
FISHER_SPREAD = 0.5
WEIGHTS: Mapping[str, float] = {"meta": 0.2, "alignment": 0.5, "spectrum": 0.15, "sketch": 0.15, "fisher": 0.2}
UNVECTORED = 0.6
"""Most that tasks can be alike of which no comparable vectors are known."""
OTHER_QUESTION = 0.3
_NEAR = 2.0
_FAR = 9.0


def similarity(one: TaskEntry, other: TaskEntry) -> float:
    """In [0, 1]; 1 for a task and itself, 0 for tasks of different modalities; symmetric."""
    if one.task == other.task:
        return 1.0
    if one.modality != other.modality:
        return 0.0
    factor = 1.0 if one.task_kind == other.task_kind else OTHER_QUESTION
    groups = _groups(one, other)
    if not groups:
        return factor * UNVECTORED * math.exp(-_NEAR)
    weights = {name: WEIGHTS[name] for name in groups}
    square = sum(weights[name] * value for name, value in groups.items()) / sum(weights.values())
    bound = 1.0 if "alignment" in groups else UNVECTORED
    return factor * bound * math.exp(-math.sqrt(square) / _NEAR)


def distances(entries: Sequence[TaskEntry]) -> np.ndarray:
    """[N, N] of tasks: 0 for like ones, growing as similarity falls."""
    found = np.zeros((len(entries), len(entries)))
    for row, one in enumerate(entries):
        for column in range(row):
            alike = similarity(one, entries[column])
            found[row, column] = found[column, row] = min(-math.log(max(alike, 1e-9)), _FAR)
    return found


def are_comparable(one: TaskEntry, other: TaskEntry) -> bool:
    """Whether both have vectors of one version."""
    return bool(one.embedding) and one.embedding_version == other.embedding_version and _fit(one, other)


def nearest(entry: TaskEntry, others: Iterable[TaskEntry], count: int) -> list[tuple[TaskEntry, float]]:
    """The tasks most like one, itself left out."""
    found = [(other, similarity(entry, other)) for other in others if other.task != entry.task]
    return sorted(found, key=lambda pair: (-pair[1], pair[0].task))[:count]


def _groups(one: TaskEntry, other: TaskEntry) -> dict[str, float]:
    """Mean square difference of each group, in its units; groups that cannot be compared are left out."""
    found = {}
    shared = [name for name in META_SCALES if name in one.meta_features and name in other.meta_features]
    if shared:
        apart = [(one.meta_features[name] - other.meta_features[name]) / META_SCALES[name] for name in shared]
        found["meta"] = _mean_square(np.asarray(apart))
    if are_comparable(one, other):
        difference = np.asarray(one.embedding) - np.asarray(other.embedding)
        usual = difference[: len(NAMES)] / np.asarray(SPREADS)
        found |= {name: _mean_square(usual[place]) for name, place in GROUPS.items()}
        if len(difference) > len(NAMES):
            found["fisher"] = _mean_square(difference[len(NAMES) :] / FISHER_SPREAD)
    return found


def _fit(one: TaskEntry, other: TaskEntry) -> bool:
    return len(one.embedding) == len(other.embedding) >= len(NAMES)


def _mean_square(values: np.ndarray) -> float:
    """Differences beyond some units say no more."""
    finite = np.nan_to_num(values, nan=_FAR, posinf=_FAR, neginf=-_FAR)
    return float(np.square(np.clip(finite, -_FAR, _FAR)).mean()) if len(finite) else 0.0
