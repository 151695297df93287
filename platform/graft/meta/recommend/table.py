"""The tasks of a memory as arrays that a surrogate is fitted to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graft.meta.memory.records import Scores
from graft.meta.recommend.kernel import Floats
from graft.meta.recommend.normalise import below_best, standardised
from graft.meta.recommend.outcomes import Candidate, TaskOutcomes

Similarity = Callable[[str, str], float]
"""``similarity(task, task)`` in [0, 1]: whether tasks want the same; 1 for a task and itself."""

ScoreTable = Mapping[str, Mapping[str, Mapping[str, float]]]
"""task -> name of the score -> backbone -> its value, standardised over all that the task has of it.

What a score says of a part of a backbone's depth, ``logme@0.7``, stands as ``logme`` of ``backbone@0.7``: it is
comparable with that of the whole, and belongs to the candidates that keep so much of it.
"""

_KEPT = "structure.keep"
FEWEST_DIRECTED = 5
# A share of the blocks is rounded to whole ones: what differs by less is the same depth.
_SAME_DEPTH = 0.1


def unknown_similarity(one: str, other: str) -> float:
    """Where nothing is known of the tasks: each is like itself alone, beyond what all have in common."""
    return float(one == other)


def score_table(scores: Iterable[Scores]) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by task and name, standardised within them; a later one of the same place counts."""
    raw: dict[str, dict[str, dict[str, float]]] = {}
    for one in scores:
        name, at, depth = one.score_name.partition("@")
        raw.setdefault(one.task, {}).setdefault(name, {})[f"{one.backbone}{at}{depth}"] = one.value
    return {task: {name: standardised(values) for name, values in by_name.items()} for task, by_name in raw.items()}


@dataclass(frozen=True)
class Table:
    """Observations of several tasks, a row each.

    Attributes:
        tasks: names of the tasks.
        candidates: all that occur.
        task: [N], which task.
        candidate: [N], which candidate.
        loss: float64 [N], `below_best`: 0 is the best of the task, less is worse.
        weight: float64 [N], trust.
        features: float64 [N, J + 1]: the mean of the scores and each of them (`score_features`).
        names: of the J scores.
    """

    tasks: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    task: NDArray[np.intp]
    candidate: NDArray[np.intp]
    loss: Floats
    weight: Floats
    features: Floats
    names: tuple[str, ...]

    @property
    def rows(self) -> int:
        """N."""
        return len(self.loss)

    def without(self, kept: NDArray[np.bool_]) -> "Table":
        """Those rows alone; tasks and candidates keep their places."""
        return Table(
            self.tasks,
            self.candidates,
            self.task[kept],
            self.candidate[kept],
            self.loss[kept],
            self.weight[kept],
            self.features[kept],
            self.names,
        )


def compacted(table: Table, pool: int) -> Table:
    """The same rows, with only those tasks and candidates that have any; the first `pool` candidates stay in place."""
    used = np.unique(table.candidate[table.candidate >= pool])
    places = np.concatenate([np.arange(pool), used])
    tasks = np.unique(table.task)
    return Table(
        tuple(table.tasks[at] for at in tasks),
        tuple(table.candidates[at] for at in places),
        np.searchsorted(tasks, table.task),
        np.searchsorted(places, table.candidate),
        table.loss,
        table.weight,
        table.features,
        table.names,
    )


def table_of(outcomes: Sequence[TaskOutcomes], scores: ScoreTable, pool: Sequence[Candidate] = ()) -> Table:
    """The observations of some tasks.

    Args:
        outcomes: of the tasks; those that tell nothing (no value, or one candidate) give no rows.
        scores: of any tasks.
        pool: candidates that must have a place though no task has tried them.
    """
    places: dict[Candidate, int] = {}
    for candidate in pool:
        places.setdefault(candidate, len(places))
    names = tuple(dict.fromkeys(name for task in scores.values() for name in task))
    rows: list[tuple[int, int, float, float]] = []
    features = []
    for number, of in enumerate(outcomes):
        losses = below_best({at: one.value for at, one in of.outcomes.items()})
        if len(losses) < 2:
            continue
        for candidate, loss in losses.items():
            at = places.setdefault(candidate, len(places))
            rows.append((number, at, loss, of.outcomes[candidate].weight))
        features.append(score_features(list(losses), scores.get(of.task, {}), names))
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return Table(
        tuple(of.task for of in outcomes),
        tuple(places),
        np.array(columns[0], dtype=np.intp),
        np.array(columns[1], dtype=np.intp),
        np.array(columns[2], dtype=np.float64),
        np.array(columns[3], dtype=np.float64),
        np.concatenate(features) if features else np.zeros((0, len(names) + 1)),
        names,
    )


def score_features(
    candidates: Sequence[Candidate], scores: Mapping[str, Mapping[str, float]], names: Sequence[str]
) -> Floats:
    """The mean of the scores that a candidate's backbone has, then each of them; 0, the mean, where it has none."""
    found = np.zeros((len(candidates), len(names) + 1))
    for row, candidate in enumerate(candidates):
        known = [_score_of(candidate, scores.get(name, {})) for name in names]
        told = [one for one in known if one is not None]
        found[row, 0] = sum(told) / len(told) if told else 0.0
        found[row, 1:] = [0.0 if one is None else one for one in known]
    return found


def score_directions(scores: ScoreTable, tasks: Sequence[str]) -> dict[str, Floats]:
    """What the scores of each task prefer beyond what those of all tasks do, as a unit vector over (name, backbone).

    Tasks whose scores go the same way may want the same, also where no single score says what that is. None of fewer
    tasks than `FEWEST_DIRECTED`: with the mean of two tasks taken off, they always point apart.
    """
    scored = [task for task in dict.fromkeys(tasks) if any(scores.get(task, {}).values())]
    if len(scored) < FEWEST_DIRECTED:
        return {}
    places: dict[tuple[str, str], int] = {}
    for task in scored:
        for name, values in scores[task].items():
            for backbone in values:
                places.setdefault((name, backbone), len(places))
    found = np.full((len(scored), len(places)), np.nan)
    for row, task in enumerate(scored):
        for name, values in scores[task].items():
            for backbone, value in values.items():
                found[row, places[name, backbone]] = value
    apart = np.nan_to_num(found - np.nanmean(found, axis=0))
    lengths = np.linalg.norm(apart, axis=1)
    return {task: one / length for task, one, length in zip(scored, apart, lengths, strict=True) if length > 0}


def _score_of(candidate: Candidate, values: Mapping[str, float]) -> float | None:
    """Of its backbone at the depth that it keeps; of the whole one where that has no score of its own."""
    whole = values.get(candidate.backbone)
    if not candidate.strategy_json:
        return whole
    kept = candidate.fields.get(_KEPT, 1.0)
    if not isinstance(kept, int | float) or kept == 1:
        return whole
    for key, value in values.items():
        backbone, _, depth = key.partition("@")
        if backbone == candidate.backbone and depth and abs(_number(depth) - kept) < _SAME_DEPTH:
            return value
    return whole


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0
