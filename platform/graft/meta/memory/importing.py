"""Results that others have measured, read from Parquet or CSV: every problem at once, nothing half imported.

A file of records has the columns task, modality, backbone, metric, value, and if they are known strategy_json, epoch,
seconds, and the other fields of `Record`. A file of scores has task, backbone, score_name, value. What `graft memory
export` writes can be read again.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from graft.core.errors import Problem, SpecError
from graft.core.storage import canonical_json, text_digest
from graft.meta.memory.import_cells import Cells, Wrong
from graft.meta.memory.import_file import Columns, read_columns
from graft.meta.memory.records import Direction, HeldMemory, Record, Scores, TaskEntry, TrialState
from graft.meta.memory.schema import TASKS, conform, to_tasks
from graft.models.zoo import has_backbone
from graft.spec.messages.sentences import must_be_one_of, nearest_hint
from graft.spec.metrics import MetricSpec
from graft.spec.registry import members
from graft.spec.tasks.lookup import all_metrics

RECORD_COLUMNS = ("task", "modality", "backbone", "metric", "value")
SCORE_COLUMNS = ("task", "backbone", "score_name", "value")
MOST_PROBLEMS = 50
_SHOWN = 40
_OF_ROWS = re.compile(r"(val|valid|validation|test|eval|dev|holdout)_+")
_WORDS = (
    (re.compile(r"_?top_?(\d+)(_acc|_accuracy)?$"), r"top_\1_accuracy"),
    (re.compile(r"(^|_)acc$"), r"\1accuracy"),
)
_ALSO_CALLED = {"top_1_accuracy": "accuracy", "auc": "auroc", "roc_auc": "auroc", "r2_score": "r2"}
_ALSO_CALLED |= dict.fromkeys(("f1", "f1_score", "f1_macro", "macro_f1_score"), "macro_f1")
_STATES = tuple(state.value for state in TrialState)


def read_memory(records: Path, scores: Path | None = None, tasks: Path | None = None) -> HeldMemory:
    """The memory that some files hold.

    Args:
        records: results of trials.
        scores: of backbones in closed form.
        tasks: what is known of the tasks, as `graft memory export` writes it; only what records and scores tell of them
            if left out.

    Raises:
        SpecError: files cannot be read, lack columns, or have values that cannot be; all problems.
    """
    problems: list[Problem] = []
    found_records = _records(records, problems)
    found_scores = [] if scores is None else _scores(scores, problems)
    entries = [] if tasks is None else _tasks(tasks, problems)
    if problems:
        more = len(problems) - MOST_PROBLEMS
        rest = [Problem("", f"and {more:,} more problems")] if more > 0 else []
        raise SpecError([*problems[:MOST_PROBLEMS], *rest])
    named = {entry.task for entry in entries}
    told = {one.task: one for one in found_records if one.task not in named}
    entries += [TaskEntry(one.task, one.modality, one.task_kind, 0, 0, source=one.source) for one in told.values()]
    return HeldMemory(found_records, entries, found_scores)


def known_metric(name: str) -> MetricSpec | None:
    """The metric that a name means, whoever has given it: ``val/accuracy``, ``Test Acc``, ``Top-1``; None if no task
    has it. One of training rows is none."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    plain = _OF_ROWS.sub("", plain, count=1) if _OF_ROWS.match(plain) else plain
    for pattern, word in _WORDS:
        plain = pattern.sub(word, plain)
    plain = _ALSO_CALLED.get(plain, plain)
    return next((metric for _, metric in all_metrics() if metric.name == plain), None)


def _records(path: Path, problems: list[Problem]) -> list[Record]:
    columns = _columns(path, RECORD_COLUMNS, problems)
    if columns is None:
        return []
    source = f"import:{path.name}"
    rows = [one for cells in columns.rows() if (one := _checked(_Row.of, cells, problems)) is not None]
    found = from_one(_with_trials(rows, source))
    problems += contradictions(found, path)
    return found


def from_one(records: Sequence[Record]) -> list[Record]:
    """The same, with epochs that are counted from one; where any is 0, the file counts from zero."""
    if all(one.epoch != 0 for one in records):
        return list(records)
    return [one if one.epoch is None else replace(one, epoch=one.epoch + 1) for one in records]


def contradictions(records: Sequence[Record], path: Path) -> list[Problem]:
    """Metrics of which more is better in some rows and less in others."""
    modes: dict[str, set[str]] = {}
    for one in records:
        modes.setdefault(one.metric, set()).add(one.direction)
    told = "is max in some rows of `{}` and min in others, but must be one for a metric; correct it"
    return [Problem("direction", told.format(metric), str(path)) for metric, both in modes.items() if len(both) > 1]


def _scores(path: Path, problems: list[Problem]) -> list[Scores]:
    columns = _columns(path, SCORE_COLUMNS, problems)
    source = f"import:{path.name}"

    def score(cells: Cells) -> Scores:
        task, name, backbone = cells.text("task"), cells.text("score_name"), _backbone(cells)
        return Scores(task, backbone, name, cells.number("value"), cells.given("source") or source)

    rows = [] if columns is None else columns.rows()
    found = [one for cells in rows if (one := _checked(score, cells, problems)) is not None]
    problems += _two_values([one for one in found if one.source == source], path)  # others have a history
    return found


def _two_values(scores: Sequence[Scores], path: Path) -> Iterator[Problem]:
    """Scores that are computed from the data alone have one value; with another one a column is missing or wrong."""
    values: dict[tuple[str, ...], float] = {}
    for one in scores:
        key = (one.task, one.backbone, one.score_name, one.source)
        if values.setdefault(key, one.value) != one.value:
            told = f"{one.score_name} of {one.backbone} on {one.task} is {values[key]:g} and {one.value:g}"
            yield Problem("value", f"{told}, but must be one; remove a row", str(path))


def _tasks(path: Path, problems: list[Problem]) -> list[TaskEntry]:
    columns = _columns(path, ("task",), problems)
    if columns is None:
        return []
    try:
        return to_tasks(conform(TASKS, columns.table))
    except ValueError as error:
        problems.append(Problem("", f"{error}; export the tasks again", str(path)))
        return []


def _columns(path: Path, needed: Sequence[str], problems: list[Problem]) -> Columns | None:
    try:
        columns = read_columns(path)
    except SpecError as error:
        problems += error.problems
        return None
    missing = [name for name in needed if name not in columns.names]
    if missing:
        told = f"has the columns {', '.join(columns.names) or 'none'}, but must have {', '.join(missing)} too; add them"
        problems.append(Problem("", told, str(path)))
        return None
    return columns


def _checked(read: Any, cells: Cells, problems: list[Problem]) -> Any:
    """What a row means; None if something in it is wrong, which is added to the problems."""
    try:
        return read(cells)
    except Wrong as wrong:
        problems += wrong.problems
        return None


@dataclass(frozen=True)
class _Row:
    """A row of a file of records, before it is known which rows are of one trial."""

    values: Mapping[str, Any]
    curve: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, cells: Cells) -> "_Row":
        """A row, checked.

        Raises:
            Wrong: some of its cells cannot be.
        """
        found: dict[str, Any] = {}
        with cells.collecting() as take:
            for name in ("task", "metric"):
                take(found, name, partial(cells.text, name))
            take(found, "backbone", lambda: _backbone(cells))
            take(found, "modality", lambda: _modality(cells))
            take(found, "direction", lambda: _direction(cells))
            take(found, "state", lambda: TrialState(cells.one_of("state", _STATES, TrialState.FINISHED.value)))
            take(found, "value", lambda: _value(cells))
            take(found, "strategy_json", lambda: _strategy(cells))
            take(found, "epoch", lambda: cells.count("epoch", lowest=0))
            take(found, "epochs", lambda: cells.count("epochs"))
            take(found, "seconds", lambda: cells.optional_number("seconds", lowest=0.0))
            take(found, "written_at", lambda: cells.optional_number("written_at", lowest=0.0) or 0.0)
            take(found, "versions", lambda: cells.mapping("versions"))
        found |= {name: cells.given(name) for name in ("trial", "device", "source")}
        found["task_kind"] = cells.given("task_kind") or _task_kind(found["metric"])
        metric = known_metric(found["metric"])
        found["metric"] = metric.name if metric else found["metric"]
        curve = (found["task"], found["backbone"], found["strategy_json"] or "", found["metric"])
        return cls(found, curve)


def _modality(cells: Cells) -> str:
    """What the samples are: in columns that were swapped it would be something else, and nobody would find the rows."""
    found, known = cells.text("modality"), tuple(members("modality"))
    if found not in known:
        raise cells.wrong("modality", f"is `{found[:_SHOWN]}`, but {must_be_one_of(known)}{nearest_hint(found, known)}")
    return found


def _backbone(cells: Cells) -> str:
    """The network; in columns that were swapped it would be the task's name, and the task would be called as it."""
    found, task = cells.text("backbone"), cells.given("task")
    if has_backbone(task) and not has_backbone(found):
        told = f"is `{found[:_SHOWN]}`, but the task is called `{task[:_SHOWN]}`, as a backbone is"
        raise cells.wrong("backbone", f"{told}; swap both columns, or give the task another name")
    return found


def _strategy(cells: Cells) -> str | None:
    """The strategy, which may name the backbone again."""
    text, backbone = cells.json_object("strategy_json"), cells.given("backbone")
    named = json.loads(text).get("backbone", backbone) if text else backbone
    if named != backbone:
        told = f"names the backbone `{str(named)[:_SHOWN]}`, but the row is of `{backbone[:_SHOWN]}`"
        raise cells.wrong("strategy_json", f"{told}; correct one of them")
    return text


def given_direction(cells: Cells) -> Direction | None:
    """What a row says of its metric, or what is known of it; None if it says nothing and nobody knows."""
    metric = known_metric(cells.given("metric"))
    given = cells.one_of("direction", ("max", "min"), "")
    if metric is not None and given not in ("", metric.mode):
        raise cells.wrong("direction", f"is {given}, but of {metric.name} {metric.mode} is better; correct it")
    if metric is not None:
        return metric.mode
    return None if not given else "min" if given == "min" else "max"


def _direction(cells: Cells) -> str:
    given = given_direction(cells)
    if given is None:
        known = ", ".join(dict.fromkeys(one.name for _, one in all_metrics()))
        told = f"is `{cells.given('metric')}`, of which nobody knows whether more is better; name one of {known}, or "
        raise cells.wrong("metric", told + "add the column direction with max or min")
    return given


def _value(cells: Cells) -> float | None:
    if cells.given("state") == TrialState.FAILED.value and not cells.given("value"):
        return None
    value, metric = cells.number("value"), known_metric(cells.given("metric"))
    if metric is None or metric.is_possible(value):
        return value
    bounds = [f">= {metric.lowest:g}"] * math.isfinite(metric.lowest) + [f"<= {metric.highest:g}"] * math.isfinite(
        metric.highest
    )
    advice = "; a share, not per cent: divide it by 100" if metric.highest == 1 and 1 < value <= 100 else "; correct it"
    raise cells.wrong("value", f"is {value:g}, but {metric.name} must be {' and '.join(bounds)}{advice}")


def _task_kind(metric: str) -> str:
    known = known_metric(metric)
    return next((kind for kind, one in all_metrics() if known is not None and one.name == known.name), "")


def _with_trials(rows: Sequence[_Row], source: str) -> list[Record]:
    """Records, each with a trial: as its file says, else one a curve; the same file gives the same ones."""
    curves: dict[tuple[str, ...], list[list[_Row]]] = {}
    for row in rows:
        if not row.values["trial"]:
            of_strategy = curves.setdefault(row.curve, [])
            epoch = row.values["epoch"]
            free = (one for one in of_strategy if all(other.values["epoch"] != epoch for other in one))
            curve = next(free, None)
            if curve is None:
                of_strategy.append(curve := [])
            curve.append(row)
    names: dict[int, str] = {}
    for key, of_strategy in curves.items():
        for curve in of_strategy:
            told = sorted((row.values["epoch"] or 0, row.values["value"] or 0.0) for row in curve)
            name = f"import/{text_digest(canonical_json([key, told]))[:16]}"
            names |= {id(row): name for row in curve}
    return [Record(**{**row.values, **_named(row, names.get(id(row), ""), source)}) for row in rows]


def _named(row: _Row, trial: str, source: str) -> dict[str, str]:
    return {"trial": row.values["trial"] or trial, "source": row.values["source"] or source}
