"""Tables of results that anybody has published, read for a comparison, not for the memory.

`graft.meta.memory.importing` refuses what it cannot be sure of, since a search is to rely on it for years. A comparison
can do with less: rows without a value, or with one that no model can have, are left out and counted, percentages become
shares, and of a metric that no task of graft has, the name says which direction is better; what was assumed is told.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TypeVar

from graft.core.errors import Problem, SpecError
from graft.meta.memory.import_cells import Cells, Wrong
from graft.meta.memory.import_file import read_columns
from graft.meta.memory.importing import (
    MOST_PROBLEMS,
    SCORE_COLUMNS,
    contradictions,
    from_one,
    given_direction,
    known_metric,
)
from graft.meta.memory.records import Direction, HeldMemory, Record, Scores, TrialState
from graft.meta.recommend.evaluation.points import less_is_better
from graft.spec.metrics import MetricSpec

Row = TypeVar("Row")
NEEDED = ("task", "backbone", "metric", "value")
# How tables of any origin say that there is no number, or none that is finite.
_NO_NUMBER = {"", "-", "na", "n/a", "#n/a", "<na>", "nan", "none", "null"}
_NO_NUMBER |= {f"{sign}{name}" for sign in ("", "+", "-") for name in ("inf", "infinity")}


@dataclass(frozen=True)
class Foreign:
    """What a table holds.

    Attributes:
        memory: records and scores.
        assumed: what was taken for granted, or left out, a line each.
    """

    memory: HeldMemory
    assumed: tuple[str, ...] = ()


def read_foreign(records: Path, scores: Path | None = None) -> Foreign:
    """Read results, and perhaps scores.

    Args:
        records: .parquet or .csv with the columns task, backbone, metric, value; modality, strategy_json, epoch,
            epochs, seconds, direction, state and trial where they are known.
        scores: the same with task, backbone, score_name, value.

    Raises:
        SpecError: a file cannot be read, lacks a column, or has cells that are no numbers; all problems.
    """
    rows, empty = _rows(records, NEEDED, _record)
    given, unscored = ([], 0) if scores is None else _rows(scores, SCORE_COLUMNS, _score)
    told = _once(given)
    if problems := contradictions(rows, records):
        raise SpecError(problems)
    shares, assumed = _in_shares(from_one(rows))
    found = _possible(shares)
    if impossible := len(shares) - len(found):
        assumed.append(f"{impossible} rows of {records} have values that no model can have, and are left out")
    if repeated := len(given) - len(told):
        assumed.append(f"{repeated} rows of {scores} tell a score again, and the mean counts")
    if stray := _stray(found, told):
        assumed.append(f"{stray} rows of {scores} are of tasks or backbones that {records} has not, and tell nothing")
    for count, path in ((empty, records), (unscored, scores)):
        if count:
            assumed.append(f"{count} rows of {path} have no finite value, and are left out")
    unknown = {one.metric: one.direction for one in found if known_metric(one.metric) is None}
    assumed += [f"of {metric} {'less' if mode == 'min' else 'more'} is better" for metric, mode in unknown.items()]
    return Foreign(HeldMemory(_with_trials(found), (), told), tuple(assumed))


def _rows(path: Path, needed: Iterable[str], read: Callable[[Cells], Row | None]) -> tuple[list[Row], int]:
    """What the rows mean, and how many have no value."""
    columns = read_columns(path)
    missing = [name for name in needed if name not in columns.names]
    if missing:
        told = f"has the columns {', '.join(columns.names) or 'none'}, but must have {', '.join(missing)} too; add them"
        raise SpecError([Problem("", told, str(path))])
    found, problems, empty = list[Row](), list[Problem](), 0
    for cells in columns.rows():
        try:
            one = read(cells)
        except Wrong as wrong:
            problems += wrong.problems
            continue
        empty += one is None
        if one is not None:
            found.append(one)
    if problems:
        raise SpecError(problems[:MOST_PROBLEMS])
    return found, empty


def _number(cells: Cells, name: str) -> float | None:
    """A number; None if there is none, or none that is finite."""
    text = cells.given(name)
    if text.lower() in _NO_NUMBER:
        return None
    return cells.number(name)


def _record(cells: Cells) -> Record | None:
    value = _number(cells, "value")
    has_failed = cells.given("state") == TrialState.FAILED.value
    if value is None and not has_failed:
        return None
    metric = cells.text("metric")
    seconds = _number(cells, "seconds")
    return Record(
        cells.text("task"),
        cells.given("modality"),
        cells.given("task_kind"),
        cells.text("backbone"),
        metric,
        _direction(cells, metric),
        value,
        cells.json_object("strategy_json"),
        cells.count("epoch", lowest=0),
        cells.count("epochs"),
        seconds if seconds is not None and seconds > 0 else None,
        TrialState.FAILED if has_failed else TrialState.FINISHED,
        cells.given("trial"),
    )


def _score(cells: Cells) -> Scores | None:
    value = _number(cells, "value")
    return (
        None if value is None else Scores(cells.text("task"), cells.text("backbone"), cells.text("score_name"), value)
    )


def _once(scores: list[Scores]) -> list[Scores]:
    """Each score of a backbone on a task once: the mean of its rows."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for one in scores:
        values.setdefault((one.task, one.backbone, one.score_name), []).append(one.value)
    return [Scores(*place, sum(found) / len(found)) for place, found in values.items()]


def _direction(cells: Cells, metric: str) -> Direction:
    given = given_direction(cells)
    if given is not None:
        return given
    return "min" if less_is_better(metric) else "max"


def _in_shares(rows: list[Record]) -> tuple[list[Record], list[str]]:
    """Metrics that are shares are within 0 and 1; where a task has per cent of one, they are divided by 100."""
    values: dict[tuple[str, str], list[float]] = {}
    for one in rows:
        if one.value is not None:
            values.setdefault((one.task, one.metric), []).append(one.value)
    known = {metric: known_metric(metric) for _, metric in values}
    odd = {place for place, found in values.items() if _is_per_cent(known[place[1]], found)}
    assumed = []
    for metric in sorted({metric for _, metric in odd}):
        tasks, of = (sum(place[1] == metric for place in places) for places in (values, odd))
        where = "" if of == tasks else f" for {of} of {tasks} tasks"
        assumed.append(f"{metric} is in per cent{where}, and was divided by 100")
    found = [
        replace(one, value=one.value / 100) if (one.task, one.metric) in odd and one.value is not None else one
        for one in rows
    ]
    return found, assumed


def _is_per_cent(metric: MetricSpec | None, values: list[float]) -> bool:
    """Whether most values of a task are too large for shares: a single one is a mistake of its own."""
    return metric is not None and metric.highest == 1 and 1 < median(values) <= 100


def _possible(rows: list[Record]) -> list[Record]:
    """Without values that no model can have."""
    known = {metric: known_metric(metric) for metric in {one.metric for one in rows}}
    return [
        one
        for one in rows
        if one.value is None or (metric := known[one.metric]) is None or metric.is_possible(one.value)
    ]


def _stray(rows: list[Record], scores: list[Scores]) -> int:
    known = {(one.task, one.backbone) for one in rows}
    return sum((one.task, one.backbone) not in known for one in scores)


def _with_trials(rows: list[Record]) -> list[Record]:
    """Each with a trial: as the file says, else one a curve; an epoch that comes again begins another."""
    seen: dict[tuple[str, ...], int] = {}
    found = []
    for one in rows:
        curve = (one.task, one.backbone, one.strategy_json or "", one.metric)
        place = (*curve, str(one.epoch))
        seen[place] = seen.get(place, 0) + 1
        found.append(one if one.trial else replace(one, trial=f"{curve} {seen[place]}"))
    return found
