"""`graft meta-train`: a meta-training that is journalled, goes on where it was, and leaves a meta-model."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml

from graft.core.errors import TrackingError, TrialError
from graft.core.heartbeat import Watch, unwatched
from graft.core.seeds import derive_seed
from graft.core.storage import Home, canonical_json, text_digest, write_text
from graft.data.feature_store.key import weights_digest
from graft.episodes.meta_learner import MetaLearner, MetaPlan
from graft.episodes.meta_model import MetaModel, MetaModelSpec, TrainingTasks, bounded, built, joined, write_meta_model
from graft.episodes.samples import FEATURES, Samples
from graft.episodes.task_source import EpisodeShape, TaskSource
from graft.journal import events
from graft.journal.journal import Journal, read
from graft.learner.checkpoints import CheckpointStore
from graft.learner.pretrained import preprocessing_for, pretrained
from graft.learner.training_data import training_data_of
from graft.learner.trial import TrialPayload, train_proposal
from graft.pipeline.episodes.keeping import Champion, Kept, champion_of, keep
from graft.pipeline.episodes.registering import made_of, register_meta_model
from graft.pipeline.episodes.report import Measured, baseline_of, measured, tasks_of
from graft.pipeline.episodes.samples import Division, Pool, divided
from graft.search.protocol import CheckpointEpochs, Proposal
from graft.spec.meta.job import MetaJob
from graft.spec.strategy import Strategy
from graft.tracking.target import Target, target_of
from graft.training.loop import TrainingOutcome, TrainingStatus
from graft.training.world import ALONE, World

TRIAL = "meta"
REPLAYED_CLASSES, REPLAYED_EACH = 200, 10
"""Of earlier tasks, that an update sees again."""

OnReport = Callable[[int, Mapping[str, float]], None]
"""Told of each epoch: its number, and its metrics."""


@dataclass(frozen=True)
class MetaResult:
    """What a meta-training gave.

    Attributes:
        model: the meta-model.
        kept: whether it is the one that is used from now on, and why.
        tasks: that were trained on.
        scores: by protocol.
        seconds: all in all.
        note: what the user should know; empty if nothing.
    """

    model: MetaModel
    kept: Kept
    tasks: int
    scores: Mapping[str, Measured]
    seconds: float
    note: str = ""

    @property
    def beats_prototypes(self) -> bool:
        """On every protocol, by an interval of the difference that lies above zero."""
        return all(one.gain.accuracy - one.gain.half_width > 0 for one in self.scores.values())

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "meta_model": str(self.model.directory),
            "tasks": self.tasks,
            "accuracy": {protocol: one.to_json() for protocol, one in self.scores.items()},
            "beats_prototypes": self.beats_prototypes,
            "role": self.kept.role,
            "reason": self.kept.reason,
            "seconds": round(self.seconds, 1),
            "note": self.note,
        }


@dataclass(frozen=True)
class MetaFactory:
    """Makes the learner of a job (`graft.learner.protocol.LearnerFactory`); what is learned follows from the job alone.

    Attributes:
        job: what is asked for.
        division: samples by what they are for.
        earlier: a meta-model that it goes on from, and the samples that it sees again.
    """

    job: MetaJob
    division: Division
    earlier: MetaModel | None = None

    def __call__(self, strategy: Strategy, world: World, watch: Watch = unwatched) -> MetaLearner:
        """The learner at its start."""
        job, training = self.job, self.division.training
        shapes = {name: tuple(view.shape[1:]) for name, view in training.inputs.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(job.training.seed, "meta"))
            loss = built(job.start, job.adapter, shapes)
        if self.earlier is not None:
            loss.load_state_dict(self.earlier.weights())
            seen = self.earlier.replay()
            training = training if seen is None else joined(training, seen)
        shape = EpisodeShape(job.tasks.ways, job.tasks.shots, job.tasks.queries, job.tasks.within)
        source = TaskSource(training, shape, derive_seed(job.training.seed, "tasks"), checked=True)
        first = next(
            iter(tasks_of(self.division.validation, job.report, job.tasks.queries, job.training.seed).values())
        )
        return MetaLearner(loss, source, first, _plan(job), world, watch)


def meta_train(job: MetaJob, home: Home, pool: Pool, on_report: OnReport, is_update: bool = False) -> MetaResult:
    """Meta-train as a job says; one that was cut off goes on from its newest checkpoint.

    Args:
        job: what is asked for.
        home: where everything is kept.
        pool: its samples.
        on_report: told of epochs.
        is_update: whether to go on from the meta-model of that name.

    Raises:
        SpecError: the job cannot be done.
        DataError: the data cannot be used, or give too few classes or samples.
        TrialError: the training came to no finite loss.
    """
    began = time.monotonic()
    earlier = champion_of(home, job.name) if is_update else None
    division = divided(pool.samples, job.held_out.validation, job.held_out.test, job.held_out.seed)
    tests = tasks_of(division.test, job.report, job.tasks.queries, derive_seed(job.training.seed, "report"))
    spec, target = _spec_of(job, pool, division, earlier), target_of(home, pool.request.job)
    if earlier is not None:
        earlier.require_same_features(spec)
    factory = MetaFactory(job, division, earlier.model if earlier else None)
    factory(Strategy(), ALONE)  # what cannot be done is said before anything is written
    directory = _directory(home, job, earlier)
    with Journal(directory / "journal.jsonl") as journal:
        _begin(journal, job, directory)
        outcome = _trained(factory, directory, journal, on_report)
        learner = factory(Strategy(), ALONE)
        learner.loss.load_state_dict(dict(outcome.best_state))
        scores = measured(learner.loss, baseline_of(division.training), tests, job.report.episodes)
        accuracies = {protocol: one.to_json() for protocol, one in scores.items()}
        spec = spec.model_copy(update={"scores": accuracies, "created": datetime.now(UTC).isoformat()})
        seen = bounded(_with_earlier(division.training, factory.earlier), REPLAYED_CLASSES, REPLAYED_EACH)
        model = write_meta_model(_free(directory / job.name), spec, learner.loss.state_dict(), seen)
        kept = keep(home, job.name, model, earlier, division)
        _evaluated(journal, outcome, scores, time.monotonic() - began)
        journal.append(made_of(model, kept))
        note = _registered(directory, target, model, kept, journal)
        journal.append(events.ExperimentFinished(events.ExperimentStatus.COMPLETED, time.monotonic() - began))
    tasks = outcome.epochs_done * job.training.steps * job.training.tasks
    note = note or _shipped(directory, target)
    return MetaResult(model, kept, tasks, scores, time.monotonic() - began, note)


def _trained(factory: MetaFactory, directory: Path, journal: Journal, on_report: OnReport) -> TrainingOutcome:
    reported = max((one.epoch for _, one in read(journal.path) if isinstance(one, events.TrialReported)), default=0)

    def report(epoch: int, metrics: Mapping[str, float], notes: Sequence[str]) -> bool:
        for text in notes:
            journal.append(events.TrialNoted(TRIAL, text))
        if epoch > reported:
            journal.append(events.TrialReported(TRIAL, epoch, dict(metrics), metrics.get("train/seconds", 0.0)))
        on_report(epoch, metrics)
        return True

    epochs = factory.job.training.epochs
    payload = TrialPayload(factory, CheckpointStore(directory / "checkpoints"), CheckpointEpochs(every=1))
    outcome = train_proposal(Proposal(TRIAL, Strategy(), epochs=epochs, reported=reported), payload, ALONE, report)
    if outcome.status is TrainingStatus.NON_FINITE:
        raise TrialError(outcome.reason)
    return outcome


def _plan(job: MetaJob) -> MetaPlan:
    given = job.training
    return MetaPlan(
        given.epochs,
        given.steps,
        given.tasks,
        given.lr,
        given.weight_decay,
        seed=derive_seed(given.seed, "steps"),
        patience=given.patience,
    )


def _spec_of(job: MetaJob, pool: Pool, division: Division, earlier: Champion | None) -> MetaModelSpec:
    """What the meta-model of a job is, but for its scores."""
    request, codes = pool.request, division.training.classes
    source = TrainingTasks(
        source=pool.dataset.source, dataset=pool.dataset.fingerprint, classes=tuple(pool.names[code] for code in codes)
    )
    backbone: dict[str, Any] = {}
    if FEATURES in job.start.views:
        data = training_data_of(request.job, pool.dataset, num_threads=1)
        loaded = pretrained(request.strategy, data)
        backbone = {
            "backbone": request.strategy.backbone,
            "backbone_digest": weights_digest([loaded.backbone.stem, *loaded.backbone.blocks]),
            "preprocessing": preprocessing_for(data, request.strategy).model_dump(mode="json"),
        }
    return MetaModelSpec(
        name=job.name,
        start=job.start,
        adapter=job.adapter,
        shapes={name: tuple(view.shape[1:]) for name, view in pool.samples.inputs.items()},
        bytes=tuple(name for name, view in pool.samples.inputs.items() if view.dtype is torch.uint8),
        modality=request.job.data.modality,
        tasks=(*(earlier.model.spec.tasks if earlier else ()), source),
        **backbone,
    )


def _directory(home: Home, job: MetaJob, earlier: Champion | None) -> Path:
    """Of this job: the same job goes on in the same one; an update of another meta-model is another training."""
    told = canonical_json([job.model_dump(mode="json"), earlier.model.digest if earlier else ""])
    return home.root / "meta" / job.name / "trainings" / text_digest(told)[:12]


def _begin(journal: Journal, job: MetaJob, directory: Path) -> None:
    if any(isinstance(one, events.ExperimentStarted) for _, one in read(journal.path)):
        return
    plain = job.model_dump(mode="json")
    write_text(directory / "job.yaml", yaml.safe_dump(plain, sort_keys=False))
    journal.append(events.ExperimentStarted(job.name, f"{job.name}-{directory.name}", plain))
    chosen = {"start": job.start.model_dump(mode="json"), "adapter": job.adapter.model_dump(mode="json")}
    label = f"{job.start.kind} {job.adapter.kind}"
    journal.append(events.TrialStarted(TRIAL, chosen, label, job.training.seed, 0, job.training.epochs))


def _evaluated(journal: Journal, outcome: TrainingOutcome, scores: Mapping[str, Measured], seconds: float) -> None:
    done = events.TrialStatus.COMPLETED
    journal.append(
        events.TrialFinished(TRIAL, done, outcome.reason, outcome.epochs_done, dict(outcome.best_metrics), seconds)
    )
    told = f"its best epoch on tasks of held-out classes is {outcome.best_epoch}"
    journal.append(events.WinnerChosen(TRIAL, told))
    metrics = {protocol: one.ours.accuracy for protocol, one in scores.items()}
    intervals = {protocol: one.ours.interval for protocol, one in scores.items()}
    journal.append(events.Evaluated(metrics, intervals))


def _with_earlier(training: Samples, earlier: MetaModel | None) -> Samples:
    seen = earlier.replay() if earlier else None
    return training if seen is None else joined(training, seen)


def _free(path: Path) -> Path:
    """A path that is not taken: a training that is run again to its end leaves its first meta-model as it is."""
    count, free = 1, path
    while free.exists():
        count, free = count + 1, path.with_name(f"{path.name}-{count}")
    return free


def _registered(directory: Path, target: Target, model: MetaModel, kept: Kept, journal: Journal) -> str:
    """Register it; what went wrong, or nothing: the meta-model is there all the same."""
    try:
        register_meta_model(directory, target, model, kept, journal)
    except TrackingError as error:
        return f"it is not registered in MLflow: {error}; run the same command again"
    return ""


def _shipped(directory: Path, target: Target) -> str:
    """Bring the journal to MLflow; what went wrong, or nothing."""
    from graft.tracking.mlflow.shipping import Shipper
    from graft.tracking.relay_files import RelayState

    try:
        status = Shipper(directory, target).ship()
    except TrackingError as error:
        return f"it is not in MLflow: {error}"
    return "" if status.state is RelayState.DONE else f"it is not in MLflow yet: {status.message}"
