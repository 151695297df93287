"""What each record about a trial means for its run in a tracking store, and which family its strategy is of. Pure."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from graft.journal.events import (
    TrialExploited,
    TrialFinished,
    TrialNoted,
    TrialPlaced,
    TrialReported,
    TrialStarted,
    TrialStatus,
)
from graft.spec.metrics import shown
from graft.tracking.projection.flattening import flatten
from graft.tracking.projection.operations import (
    EXPERIMENT_RUN,
    CloseRun,
    LogDataset,
    LogMetrics,
    LogParams,
    OpenRun,
    Operation,
    Point,
    RunStatus,
    SetTags,
    UploadText,
)
from graft.tracking.projection.state import Seen, TrialSeen, metric_name

TRACEBACK = "traceback.txt"

_ENDS: Mapping[TrialStatus, RunStatus] = {
    TrialStatus.COMPLETED: "FINISHED",
    TrialStatus.STOPPED: "FINISHED",  # the scheduler's decision is no mishap: MLflow would mark it as one
    TrialStatus.FAILED: "FAILED",
    TrialStatus.INTERRUPTED: "KILLED",
}


class TrialRuns:
    """The runs of the trials, one each, losers too."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def open_run(self, event: TrialStarted) -> OpenRun:
        """How the run of a trial is opened."""
        experiment = self._seen.require_experiment().name
        tags = {"graft.role": "trial", "graft.experiment": experiment, "graft.trial": event.trial}
        return OpenRun(event.trial, f"{event.trial} {event.label}", event.time, {**tags, "mlflow.source.name": "graft"})

    def started(self, event: TrialStarted) -> Iterator[Operation]:
        before = self._seen.trials.get(event.trial)
        if before is None:
            self._seen.trials[event.trial] = TrialSeen(event)
        else:
            before.started, before.result = event, None
        yield self.open_run(event)
        if before is None:
            # A trial that goes on may have copied another's strategy since, and a parameter of a run cannot change.
            yield LogParams(event.trial, trial_params(event))
        parent = {} if event.start is None else {"graft.parent": event.start[0]}
        parent |= {"graft.recommended": event.recommended} if event.recommended else {}
        yield SetTags(event.trial, {"graft.status": "running", "graft.phase": str(event.phase + 1), **parent})
        if self._seen.dataset is not None:
            yield dataset_of(self._seen, event.trial)

    def reported(self, event: TrialReported) -> Iterator[Operation]:
        if event.trial not in self._seen.trials:
            return
        self._seen.reported(event)
        values = {metric_name(name): value for name, value in event.metrics.items()}
        yield from log(event.trial, {**values, "epoch_seconds": event.seconds}, event.time, event.epoch)

    def finished(self, event: TrialFinished) -> Iterator[Operation]:
        trial = self._seen.trials.get(event.trial)
        if trial is None:
            return
        trial.result = event
        yield from log(event.trial, self._outcome(event), event.time, 0)
        yield SetTags(event.trial, {**_end_tags(event), "mlflow.note.content": _note(self._seen, trial)})
        if event.log:
            yield UploadText(event.trial, TRACEBACK, event.log)
        yield CloseRun(event.trial, _ENDS[event.status], event.time)
        self._seen.ended += 1
        if self._seen.best is not None and self._seen.metric is not None:
            best = {f"best/val_{self._seen.metric.name}": self._seen.best}
            yield from log(EXPERIMENT_RUN, best, event.time, self._seen.ended)

    def exploited(self, event: TrialExploited) -> Iterator[Operation]:
        """A parameter of a run cannot change in MLflow, so what was varied is a metric over epochs, and a tag."""
        self._seen.exploits += 1
        numbers = {key: new for key, (_, new) in event.changes.items() if _is_number(new)}
        told = ", ".join(f"{key} {old} -> {new}" for key, (old, new) in event.changes.items())
        yield from log(
            event.trial, {f"strategy/{key}": float(new) for key, new in numbers.items()}, event.time, event.epoch
        )
        copied = f"epoch {event.epoch}: copies {event.donor}; {told}"
        yield SetTags(event.trial, {"graft.parent": event.donor, f"graft.exploit.{event.segment}": copied})
        yield SetTags(EXPERIMENT_RUN, {"graft.exploits": str(self._seen.exploits)})

    def placed(self, event: TrialPlaced) -> Iterator[Operation]:
        yield SetTags(event.trial, {"graft.nodes": ", ".join(event.nodes)})

    def noted(self, event: TrialNoted) -> Iterator[Operation]:
        if event.trial in self._seen.trials:
            yield SetTags(event.trial, {"graft.note": event.text})

    def end_open(self, status: str, time: float) -> Iterator[Operation]:
        """Close what has begun and will not end by itself any more."""
        for name, trial in self._seen.trials.items():
            if trial.result is None:
                yield SetTags(name, {"graft.status": status})
                yield CloseRun(name, "KILLED", time)

    def _outcome(self, event: TrialFinished) -> dict[str, float]:
        cost = self._seen.cost(event.seconds)
        priced = {} if cost is None else {"final/cost": cost}
        return {"final/epochs": float(event.epochs), "final/seconds": event.seconds, **priced, **final(event.metrics)}


def trial_params(event: TrialStarted) -> dict[str, str]:
    """The params of a trial's run: its family, its strategy in one level, its seed."""
    seed = {} if event.seed is None else {"seed": str(event.seed)}
    return {"family": family(event.strategy), **flatten(event.strategy), **seed}


def status_text(event: TrialFinished) -> str:
    """How a trial ended, in words: ``complete``, ``stopped at rung 3``, ``failed: non-finite loss at epoch 2``."""
    if event.status is TrialStatus.COMPLETED:
        return "complete"
    if event.status is TrialStatus.STOPPED and event.rung is not None:
        return f"stopped at rung {event.rung}"
    return join(event.status, event.reason)


def dataset_of(seen: Seen, run: str) -> LogDataset:
    """That a run used the experiment's data set."""
    experiment, dataset = seen.require_experiment(), seen.dataset
    if dataset is None:
        raise ValueError(f"run `{run}` uses a data set, but none is ready")
    name = str(experiment.job.get("name", experiment.name))
    return LogDataset(run, name, dataset.fingerprint, dataset.source, dataset.counts)


def final(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics of an end: ``val/accuracy`` becomes ``final/val_accuracy``, a bar instead of a curve."""
    return {f"final/{metric_name(name).replace('/', '_')}": value for name, value in metrics.items()}


def log(run: str, values: Mapping[str, float], time: float, step: int) -> Iterator[Operation]:
    """Points of the finite values; MLflow would store infinity as 1.8e308, which ruins every chart and order."""
    yield LogMetrics(
        run, tuple(Point(name, value, time, step) for name, value in values.items() if math.isfinite(value))
    )
    odd = [name for name, value in values.items() if not math.isfinite(value)]
    if odd:
        yield SetTags(run, {"graft.nonfinite": f"{', '.join(odd)} at epoch {step}" if step else ", ".join(odd)})


def join(status: str, reason: str) -> str:
    """``status: reason``, or the status alone."""
    return f"{status}: {reason}" if reason else str(status)


# Components whose kind makes another family; the rest of a strategy is how the family is tuned.
_TELLING = ("init", "penalty")
_PLAIN = (None, "none", "pretrained")


def family(strategy: Mapping[str, Any]) -> str:
    """The family of a strategy, such as ``linear probe`` or ``partly frozen + l2_sp``.

    How much of the backbone is trained comes first; then what is added to it or holds it back.

    Args:
        strategy: as a plain mapping, as the journal has it.
    """
    kinds = [_kind(strategy.get(name)) for name in _TELLING]
    return " + ".join([_depth(strategy.get("freeze", 0.0)), *(kind for kind in kinds if kind not in _PLAIN)])


def _end_tags(event: TrialFinished) -> dict[str, str]:
    reason = {"graft.reason": event.reason} if event.reason else {}
    rung = {} if event.rung is None else {"graft.rung": str(event.rung)}
    return {"graft.status": status_text(event), **reason, **rung}


def _note(seen: Seen, trial: TrialSeen) -> str:
    """What the page of a trial says first: what was tried, what came of it, why it ended."""
    began, result, metric = trial.started, trial.result, seen.metric
    lines = [f"**{began.trial}**: {began.label} ({family(began.strategy)})."]
    if metric is not None and trial.best is not None:
        lines.append(f"Validation {metric.name} {shown(trial.best)} in {trial.epochs} epochs.")
    if result is not None:
        told = status_text(result)
        why = result.reason if result.reason and result.reason not in told else ""
        lines.append(f"{told[0].upper()}{told[1:]}{f': {why}' if why else ''}.")
    return "\n\n".join(lines)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _depth(freeze: Any) -> str:
    if not isinstance(freeze, int | float) or freeze <= 0:
        return "full fine-tuning"
    return "linear probe" if freeze >= 1 else "partly frozen"


def _kind(component: Any) -> Any:
    return component.get("kind") if isinstance(component, Mapping) else component
