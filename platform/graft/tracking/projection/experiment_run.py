"""What the records about a whole experiment mean for its run in a tracking store. Pure."""

from collections.abc import Iterator
from typing import Any

from graft.journal.events import (
    BackbonesScreened,
    EnsembleChosen,
    Evaluated,
    ImportanceEstimated,
    MetaModelMade,
    PhaseFinished,
    PhaseStarted,
    RecommendationsMade,
    SearchEnded,
    StageFailed,
    StageFinished,
    StageSkipped,
    SystemSampled,
    TrialEstimated,
    TrialStatus,
)
from graft.spec.messages.counting import counted
from graft.spec.metrics import shown
from graft.tracking.comparison_view import Compared, varied_in_space, varied_params, view_tags
from graft.tracking.projection.operations import (
    EXPERIMENT_RUN,
    Operation,
    SetTags,
    ShowViews,
    UploadFiles,
    UploadJson,
    UploadTable,
)
from graft.tracking.projection.standings import base, charted
from graft.tracking.projection.state import Seen, TrialSeen, part
from graft.tracking.projection.trial_runs import family, join, log, status_text, trial_params

LEADERBOARD, IMPORTANCE = "leaderboard_table.json", "strategy_importance.json"
# The family follows from the choices, and the seed decides nothing that is worth comparing.
_NO_CHOICES = frozenset({"family", "seed"})
# Names of what is predicted, in the description of a model.
_NAMED = 10
EXAMINATION_FILES = ("doctor.html", "doctor.json", "quarantine.csv", "quarantine.parquet")
EVALUATION_FILES = ("report.json", "confusion_matrix.png", "worst_examples.png")


def leaderboard(seen: Seen) -> Iterator[Operation]:
    """The table of all trials, best first."""
    if not seen.trials:
        return
    metric = "score" if seen.metric is None else f"val_{seen.metric.name}"
    columns = ("rank", "trial", "family", "strategy", metric, "epochs", "seconds", "cost", "status", "reason")
    rows = tuple(_row(seen, rank, trial) for rank, trial in enumerate(seen.ranked(), start=1))
    yield UploadTable(EXPERIMENT_RUN, LEADERBOARD, columns, rows)


def comparable(seen: Seen) -> tuple[int, int]:
    """How many families and trials can be compared, up to the two that a chart needs."""
    families, scored = charted(seen)
    return min(2, families), min(2, scored)


def views(seen: Seen, time: float, is_over: bool = False) -> Iterator[Operation]:
    """The comparison page of the experiment, as far as it is known what there is to compare.

    Args:
        seen: the journal so far.
        time: when it is written.
        is_over: whether the trials have their ranks.
    """
    experiment, metric = seen.require_experiment(), seen.metric
    if metric is None:
        return
    families, scored = charted(seen)
    flat = [trial_params(trial.started) for trial in seen.trials.values()]
    varied, shared = varied_params(flat)
    if len(flat) < 2:
        varied = shared = varied_in_space(part(experiment.job, "strategy"))
    yield ShowViews(
        view_tags(
            Compared(
                experiment=experiment.name,
                metric=metric,
                varied=_most_telling_first(varied, seen.importance),
                shared=_most_telling_first(shared, seen.importance),
                has_cost=seen.cost(1.0) is not None,
                time=time,
                families=families,
                scored=scored,
                base=base(seen) if is_over else None,
            )
        )
    )


def importance(event: ImportanceEstimated) -> Iterator[Operation]:
    yield SetTags(EXPERIMENT_RUN, {"graft.importance": event.note})
    if not event.shares:
        return
    ranked = sorted(event.shares.items(), key=lambda one: -one[1])
    yield UploadTable(EXPERIMENT_RUN, IMPORTANCE, ("field", "share"), tuple((name, share) for name, share in ranked))


def estimated(event: TrialEstimated) -> Iterator[Operation]:
    """What a finalist scores by folds, in its own run."""
    yield from log(event.trial, {f"folds/{name}": value for name, value in event.metrics.items()}, event.time, 0)


def ensemble(event: EnsembleChosen) -> Iterator[Operation]:
    """Whose answers the final model averages: in the experiment's run, and with each member."""
    yield SetTags(EXPERIMENT_RUN, {"graft.ensemble": event.reason})
    for trial, share in event.shares.items() if event.is_kept else ():
        yield SetTags(trial, {"graft.ensemble.share": f"{share:.3f}"})


def evaluated(seen: Seen, event: Evaluated) -> Iterator[Operation]:
    """The final model's score, its confusion matrix and its worst examples: in the parent and with the winner.

    The report has an interval for every metric. As a metric of the run only that of the judged one is shown: MLflow
    lists them by name, and twenty bounds would push what runs are compared by off its page.
    """
    values = {f"final/test_{name}": value for name, value in event.metrics.items()}
    values |= {f"final/test_tta_{name}": value for name, value in event.tta.items()}
    values |= {f"final/test_alone_{name}": value for name, value in event.alone.items()}
    values |= {f"final/ms_{name}": value for name, value in event.ms.items()}
    for name, (low, high) in event.intervals.items():
        if seen.metric is None or name == seen.metric.name or seen.metric.name not in event.metrics:
            values |= {f"final/test_{name}_low": low, f"final/test_{name}_high": high}
    for run in [EXPERIMENT_RUN, *([seen.winner] if seen.winner in seen.trials else [])]:
        yield from log(run, values, event.time, 0)
        yield UploadFiles(run, EVALUATION_FILES)


def meta_model(event: MetaModelMade) -> Iterator[Operation]:
    """What a meta-model fits, what it was learned on, and whether it is used."""
    classes = sum(len(one["classes"]) for one in event.tasks)
    tags = {"digest": event.digest, "classes": str(classes), "role": event.role, "reason": event.reason}
    if event.backbone:
        tags |= {"backbone": event.backbone, "backbone_digest": event.backbone_digest}
    yield SetTags(EXPERIMENT_RUN, {f"graft.meta.{name}": value for name, value in tags.items()})
    yield UploadJson(EXPERIMENT_RUN, "training_tasks.json", {"tasks": [dict(one) for one in event.tasks]})


def dataset(seen: Seen) -> Iterator[Operation]:
    """What is known of the data: fingerprint, counts, what was left out, what lies in two splits."""
    event = seen.dataset
    if event is None:
        return
    summary = {
        "graft.fingerprint": event.fingerprint,
        "graft.samples": ", ".join(f"{count} {name}" for name, count in event.counts.items()),
        "graft.classes": str(len(event.classes)),
        "graft.quarantined": str(len(event.quarantine)),
        "graft.cross_split_duplicates": str(event.duplicates),
        "graft.findings": ", ".join(f"{one['kind']} {one['count']} ({one['action']})" for one in event.findings) or "0",
        "graft.dropped": str(len(event.dropped)),
        "graft.ignored": "; ".join(f"{one['reason']}: {one['count']}" for one in event.ignored) or "0",
    }
    yield SetTags(EXPERIMENT_RUN, summary)
    about: dict[str, Any] = {
        "source": event.source,
        "fingerprint": event.fingerprint,
        "samples": dict(event.counts),
        "classes": list(event.classes),
        "unreadable": len(event.quarantine),
        "cross_split_duplicates": event.duplicates,
        "ignored": [dict(one) for one in event.ignored],
        "findings": [dict(one) for one in event.findings],
    }
    yield UploadJson(EXPERIMENT_RUN, "data.json", about)
    if event.quarantine or event.dropped:
        left_out = [dict(item) for item in (*event.quarantine, *event.dropped)]
        yield UploadJson(EXPERIMENT_RUN, "quarantine.json", left_out)
    yield UploadFiles(EXPERIMENT_RUN, EXAMINATION_FILES)


def outcome(seen: Seen) -> list[str]:
    """Who won and how good it is, in sentences; empty if nobody has won."""
    if seen.meta_model is not None:
        return _outcome_of_meta_training(seen, seen.meta_model)
    metric, winner = seen.metric, seen.trials.get(seen.winner)
    if metric is None or winner is None or winner.best is None:
        return []
    many = counted(len(seen.trials), "trial")
    lines = [
        f"**{seen.winner}** wins: {winner.started.label} ({family(winner.started.strategy)}), "
        f"validation {metric.name} {shown(winner.best)}, of {many}."
    ]
    if seen.evaluated is not None and metric.name in seen.evaluated.metrics:
        low, high = seen.evaluated.intervals.get(metric.name, (float("nan"), float("nan")))
        value = seen.evaluated.metrics[metric.name]
        lines.append(f"Test {metric.name} {shown(value)}, 95 % interval {shown(low)} to {shown(high)}.")
    return lines


def purpose(seen: Seen) -> str:
    """What the final model is for: the task, the samples, and what is predicted."""
    if seen.meta_model is not None:
        features = f" on features of {seen.meta_model.backbone}" if seen.meta_model.backbone else ""
        return f"A meta-model{features}: learned over tasks, to learn another one from few samples"
    data = seen.dataset
    if data is None or not data.task:
        return "A model"
    more = len(data.classes) - _NAMED
    names = ", ".join(data.classes[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    kind = f"{data.task} of {data.modality}s"
    return f"{kind[0].upper()}{kind[1:]}" + (f": {names}" if names else "")


def note(seen: Seen) -> Iterator[Operation]:
    """What a reader wants to know first, as the description of the run."""
    experiment, lines = seen.require_experiment(), outcome(seen)
    if not lines:
        return
    if seen.registered is not None:
        lines.append(f"Model: `{seen.registered.uri}`.")
    if seen.importance is not None:
        lines.append(f"What mattered: {seen.importance.note}.")
    if seen.meta_model is None:
        lines.append(f"The views *strategies* and *trials* of {experiment.name} compare all trials.")
    yield SetTags(EXPERIMENT_RUN, {"mlflow.note.content": "\n\n".join(lines)})


def stage_finished(event: StageFinished) -> Iterator[Operation]:
    yield SetTags(EXPERIMENT_RUN, {f"graft.stage.{event.stage}": f"finished in {event.seconds:.1f} s"})


def stage_skipped(event: StageSkipped) -> Iterator[Operation]:
    yield SetTags(EXPERIMENT_RUN, {f"graft.stage.{event.stage}": join("skipped", event.detail)})


def stage_failed(event: StageFailed) -> Iterator[Operation]:
    yield SetTags(EXPERIMENT_RUN, {f"graft.stage.{event.stage}": join("failed", event.detail)})


def phase_started(event: PhaseStarted) -> Iterator[Operation]:
    about = f"{event.scheduler} over {event.searcher}, to epoch {event.epochs}"
    yield SetTags(EXPERIMENT_RUN, {f"graft.phase.{event.phase + 1}": about})


def backbones_screened(event: BackbonesScreened) -> Iterator[Operation]:
    yield SetTags(EXPERIMENT_RUN, {"graft.search.screened": event.told})


def recommendations_made(event: RecommendationsMade) -> Iterator[Operation]:
    yield SetTags(EXPERIMENT_RUN, {f"graft.phase.{event.phase + 1}.recommended": event.told})


def phase_finished(event: PhaseFinished) -> Iterator[Operation]:
    best = f", best {shown(event.best)} of {event.trial}" if event.best is not None else ""
    told = f"{event.trials} trials in {event.seconds:.1f} s{best}"
    yield SetTags(EXPERIMENT_RUN, {f"graft.phase.{event.phase + 1}.result": told})


def search_ended(event: SearchEnded) -> Iterator[Operation]:
    yield SetTags(EXPERIMENT_RUN, {"graft.search.stopped_by": join(event.by, event.detail)})


def system(seen: Seen, event: SystemSampled) -> Iterator[Operation]:
    """By seconds since the start: MLflow's page of system metrics draws them over time."""
    step = round(event.time - seen.began)
    yield from log(EXPERIMENT_RUN, {f"system/{name}": value for name, value in event.metrics.items()}, event.time, step)


def _outcome_of_meta_training(seen: Seen, made: MetaModelMade) -> list[str]:
    classes = sum(len(one["classes"]) for one in made.tasks)
    lines = [f"**{made.role}**: {made.reason}. Meta-learned on {classes:,} classes."]
    if seen.evaluated is not None:
        told = (
            f"{protocol} {shown(value)} ({shown(low)} to {shown(high)})"
            for protocol, value in seen.evaluated.metrics.items()
            for low, high in [seen.evaluated.intervals[protocol]]
        )
        lines.append(f"Accuracy on tasks of classes never seen, with 95 % intervals: {', '.join(told)}.")
    return lines


def _most_telling_first(params: tuple[str, ...], found: ImportanceEstimated | None) -> tuple[str, ...]:
    """By the importance of the field that a param belongs to; what is no choice of the strategy is left out."""
    shares = found.shares if found else {}
    choices = [name for name in params if name not in _NO_CHOICES]
    return tuple(sorted(choices, key=lambda name: -shares.get(name.partition(".")[0], 0.0)))


def _row(seen: Seen, rank: int, trial: TrialSeen) -> tuple[Any, ...]:
    result, started = trial.result, trial.started
    seconds = None if result is None else round(result.seconds, 2)
    cost = None if result is None else seen.cost(result.seconds)
    status = "running" if result is None else status_text(result)
    if result is not None and result.status is TrialStatus.FAILED:
        status = "failed"
    reason = "" if result is None else result.reason
    kind = family(started.strategy)
    score = None if trial.best is None else float(shown(trial.best))
    return rank, started.trial, kind, started.label, score, trial.epochs, seconds, cost, status, reason
