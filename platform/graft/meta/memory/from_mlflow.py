"""What runs of an MLflow store, of graft or of any script, say of their trials, as records; pure.

A run of graft says its task, strategy and trial in tags and params. Any other is taken if it has a param ``backbone``
or ``model`` and a validation metric that some task knows; its experiment stands for the task.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graft.core.errors import GraftError
from graft.core.storage import canonical_json
from graft.data.overview import Ignored, Tally
from graft.meta.memory.from_journal import task_name
from graft.meta.memory.importing import known_metric
from graft.meta.memory.records import HeldMemory, Record, TaskEntry, TrialState
from graft.models.load import describe_backbone
from graft.spec.metrics import MetricSpec
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import all_metrics
from graft.tracking.mlflow.logged import LoggedRun, Point

TRIAL_TAG, EXPERIMENT_TAG, FINGERPRINT_TAG = "graft.trial", "graft.experiment_key", "graft.fingerprint"
_NETWORK_PARAMS = ("backbone", "model", "model_name", "architecture")
_STATES = {"FINISHED": TrialState.FINISHED, "FAILED": TrialState.FAILED, "KILLED": TrialState.STOPPED}
_NO_CHOICES = frozenset({"family", "seed"})


def is_wanted(metric: str) -> bool:
    """Whether a metric of a run is a validation score that some task knows: ``val/accuracy``, ``val_loss``."""
    return metric.startswith(("val/", "val_")) and known_metric(metric) is not None


def records_of_runs(runs: Iterable[LoggedRun], store: str) -> tuple[HeldMemory, tuple[Ignored, ...]]:
    """Records and tasks of runs, and why others have none.

    Args:
        runs: that have ended.
        store: names the store, for the source of each record.
    """
    records: list[Record] = []
    tasks: dict[str, TaskEntry] = {}
    passed_over = Tally()
    for run in runs:
        known = _Known.of(run)
        found = [] if isinstance(known, str) else list(_records(run, known, store))
        records += found
        if not found:
            reason = known if isinstance(known, str) else "no value that its metric can have"
            passed_over.add(reason, f"{run.experiment}/{run.run_id}")
        elif not isinstance(known, str):
            title = run.parent_tags.get("graft.experiment", run.experiment) or run.experiment
            entry = TaskEntry(known.task, known.modality, known.task_kind, 0, 0, title=title, source=found[0].source)
            tasks.setdefault(known.task, entry)
    return HeldMemory(records, list(tasks.values())), passed_over.result()


@dataclass(frozen=True)
class _Known:
    """What can be told of the trial of a run."""

    task: str
    task_kind: str
    modality: str
    backbone: str
    strategy_json: str | None
    trial: str
    metric: MetricSpec
    points: tuple[Point, ...]

    @classmethod
    def of(cls, run: LoggedRun) -> "_Known | str":
        """A reason if the run is no trial, or of a network that nobody knows."""
        backbone = next((run.params[name] for name in _NETWORK_PARAMS if run.params.get(name)), "")
        chosen = _judged(run)
        if not backbone:
            return f"no param {' or '.join(_NETWORK_PARAMS)}"
        if chosen is None:
            return "no validation score that a task knows"
        try:
            modality = describe_backbone(backbone).modality
        except GraftError:
            return "a network that is not known here"
        kind, metric, points = chosen
        fingerprint = run.parent_tags.get(FINGERPRINT_TAG, "")
        task = task_name(fingerprint, kind) if fingerprint else f"mlflow/{run.experiment}"
        is_ours = TRIAL_TAG in run.tags and EXPERIMENT_TAG in run.tags
        trial = f"{run.tags[EXPERIMENT_TAG]}/{run.tags[TRIAL_TAG]}" if is_ours else f"mlflow/{run.run_id}"
        return cls(task, kind, modality, backbone, _strategy(run.params) if is_ours else None, trial, metric, points)


def _judged(run: LoggedRun) -> tuple[str, MetricSpec, tuple[Point, ...]] | None:
    """The metric that a run is judged by: the usual one of a task if it has that, else the first that is known."""
    found = {metric.name: points for name, points in run.curves.items() if (metric := known_metric(name)) is not None}
    usual = [(kind, metric) for kind, metric in all_metrics() if metric.name != "loss"]
    last = [(kind, metric) for kind, metric in all_metrics() if metric.name == "loss"]
    return next(((kind, metric, found[metric.name]) for kind, metric in (*usual, *last) if metric.name in found), None)


def _records(run: LoggedRun, known: _Known, store: str) -> Iterator[Record]:
    who = f" by {run.user}" if run.user else ""
    by_step = {max(point.step, 1): point for point in known.points if known.metric.is_possible(point.value)}
    for epoch, point in sorted(by_step.items()):
        yield Record(
            task=known.task,
            modality=known.modality,
            task_kind=known.task_kind,
            backbone=known.backbone,
            metric=known.metric.name,
            direction=known.metric.mode,
            value=point.value,
            strategy_json=known.strategy_json,
            epoch=epoch if len(by_step) > 1 or known.strategy_json else None,
            seconds=max(point.time - run.start, 0.0) if run.start else None,
            state=_STATES.get(run.status, TrialState.STOPPED),
            trial=known.trial,
            source=f"mlflow:{store}#{run.experiment}{who}",
            written_at=point.time or run.start,
        )


def _strategy(params: Mapping[str, str]) -> str | None:
    """The strategy of params, nested as graft writes it where it still understands it, else on one level."""
    flat = {key: _value(text) for key, text in params.items() if key not in _NO_CHOICES}
    try:
        return canonical_json(Strategy.read_stored(_nested(flat)).model_dump(mode="json"))
    except ValueError:
        return canonical_json(flat)


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{"penalty": "l2", "penalty.strength": 0.1}`` as ``{"penalty": {"kind": "l2", "strength": 0.1}}``."""
    found: dict[str, Any] = {}
    for key in sorted(flat, key=lambda one: one.count(".")):
        *path, name = key.split(".")
        place = found
        for step in path:
            inner = place.get(step)
            if not isinstance(inner, dict):
                inner = place[step] = {} if inner is None else {"kind": inner}
            place = inner
        place[name] = flat[key]
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
