"""`graft meta-train`: a meta-training that is journalled, goes on where it was, and leaves a meta-model."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml

from graft.core.errors import Problem, SpecError, TrackingError
from graft.core.seeds import derive_seed
from graft.core.storage import Home, canonical_json, text_digest, write_text
from graft.data.dataset import Dataset
from graft.data.feature_store.key import weights_digest
from graft.episodes.meta_model import (
    MANIFEST,
    MetaModel,
    MetaModelSpec,
    TrainingTasks,
    bounded,
    joined,
    write_meta_model,
)
from graft.episodes.objective import MetaLoss
from graft.episodes.samples import FEATURES, Samples
from graft.experiments.directory import JOB_NAME, TRAININGS
from graft.experiments.stages import StageName
from graft.journal import events
from graft.journal.ending import stage, to_an_end
from graft.journal.journal import Journal
from graft.learner.pretrained import preprocessing_for, pretrained
from graft.learner.training_data import training_data_of
from graft.pipeline.episodes.keeping import Champion, Kept, champion_of, keep
from graft.pipeline.episodes.registering import made_of, register_meta_model
from graft.pipeline.episodes.report import Measured, baseline_of, measured, tasks_of
from graft.pipeline.episodes.samples import Division, Pool, divided, require_tasks
from graft.pipeline.episodes.training import MetaFactory, OnReport, Trained, settings_of, train
from graft.spec.meta.episode_settings import EpisodeSettings
from graft.spec.meta.job import MetaJob
from graft.spec.meta.search import MetaResourcesSpec, MetaSearchSpec
from graft.spec.meta.search_job import search_job
from graft.spec.meta.searched import first_of
from graft.spec.space.flat import flattened
from graft.tracking.target import Target, target_of
from graft.training.world import ALONE

REPLAYED_CLASSES, REPLAYED_EACH = 200, 10
"""Of earlier tasks, that an update sees again."""


@dataclass(frozen=True)
class MetaResult:
    """What a meta-training gave.

    Attributes:
        model: the meta-model.
        kept: whether it is the one that is used from now on, and why.
        trained: under which strategy, on how many tasks, and the trials of a search.
        scores: by protocol.
        seconds: all in all.
        note: what the user should know; empty if nothing.
    """

    model: MetaModel
    kept: Kept
    trained: Trained
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
            "tasks": self.trained.tasks,
            "trials": [*self.trained.trials],
            "accuracy": {protocol: one.to_json() for protocol, one in self.scores.items()},
            "beats_prototypes": self.beats_prototypes,
            "role": self.kept.role,
            "reason": self.kept.reason,
            "seconds": round(self.seconds, 1),
            "note": self.note,
        }


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
    require_tasks(job, pool.samples)
    division = divided(pool.samples, job.held_out.validation, job.held_out.test, job.held_out.seed)
    tests = tasks_of(division.test, job.report, job.tasks.queries, derive_seed(job.training.seed, "report"))
    if job.is_search:
        search_job(job)
    if earlier is not None:
        _require_same(job, earlier, _spec_of(settings_of(job.space.build(first_of)), job, pool, division, earlier))
    factory, target = MetaFactory(job, division, earlier.model if earlier else None), target_of(home, job)
    factory(job.space.build(first_of), ALONE)  # what cannot be done is said before anything is written
    directory = _directory(home, job, pool.dataset, earlier)
    anew = "" if earlier or (directory / JOB_NAME).exists() else _begun_otherwise(directory, job)
    with Journal(directory / "journal.jsonl") as journal, to_an_end(journal, _beginning(job, directory)):
        with stage(journal, StageName.SEARCH):
            trained = _trained(factory, directory, journal, on_report)
        with stage(journal, StageName.EVALUATE):
            loss = factory(trained.strategy, ALONE).loss
            loss.load_state_dict(dict(trained.weights))
            scores = measured(loss, baseline_of(division.training), tests, job.report.episodes)
            _evaluated(journal, scores)
        with stage(journal, StageName.REGISTER):
            spec = _spec_of(settings_of(trained.strategy), job, pool, division, earlier)
            model = _written(directory, spec, loss, scores, _with_earlier(division.training, factory.earlier))
            kept = keep(home, job.name, model, earlier, division)
            journal.append(made_of(model, kept))
            note = _registered(directory, target, model, kept, journal)
    note = "; ".join(filter(None, (anew, note or _shipped(directory, target))))
    return MetaResult(model, kept, trained, scores, time.monotonic() - began, note)


def _trained(factory: MetaFactory, directory: Path, journal: Journal, on_report: OnReport) -> Trained:
    """In this process where one training is asked for, else as a search on Ray."""
    if factory.job.is_search or factory.job.resources.workers > 1:
        from graft.pipeline.episodes.searching import MetaSearch  # Tune takes a second to import

        return MetaSearch(factory, directory, journal, on_report).run()
    return train(factory, directory, journal, on_report)


def _require_same(job: MetaJob, earlier: Champion, spec: MetaModelSpec) -> None:
    """Refuse an update that would not go on from the earlier meta-model.

    Raises:
        SpecError: it learns something else, or on something else.
    """
    for name in ("start", "adapter"):
        if any(one.partition(".")[0] == name for one in job.searched):
            told = "is searched, but an update goes on from the weights of one; give it one value"
            raise SpecError([Problem(name, told)])
    earlier.require_same_features(spec)


def _written(
    directory: Path, spec: MetaModelSpec, loss: MetaLoss, scores: Mapping[str, Measured], samples: Samples
) -> MetaModel:
    """The meta-model on the disk, with a bounded part of the samples that it was learned on."""
    accuracies = {protocol: one.to_json() for protocol, one in scores.items()}
    whole = spec.model_copy(update={"scores": accuracies, "created": datetime.now(UTC).isoformat()})
    seen = bounded(samples, REPLAYED_CLASSES, REPLAYED_EACH)
    return write_meta_model(_free(directory / spec.name), whole, loss.state_dict(), seen)


def _spec_of(
    settings: EpisodeSettings, job: MetaJob, pool: Pool, division: Division, earlier: Champion | None
) -> MetaModelSpec:
    """What the meta-model of a job is, but for its scores."""
    request, codes = pool.request, division.training.classes
    source = TrainingTasks(
        source=pool.dataset.source, dataset=pool.dataset.fingerprint, classes=tuple(pool.names[code] for code in codes)
    )
    views = {name: view for name, view in pool.samples.inputs.items() if name in settings.start.views}
    backbone: dict[str, Any] = {}
    if FEATURES in settings.start.views:
        data = training_data_of(request.job, pool.dataset, num_threads=1)
        loaded = pretrained(request.strategy, data)
        backbone = {
            "backbone": request.strategy.backbone,
            "backbone_digest": weights_digest([loaded.backbone.stem, *loaded.backbone.blocks]),
            "preprocessing": preprocessing_for(data, request.strategy).model_dump(mode="json"),
        }
    return MetaModelSpec(
        name=job.name,
        start=settings.start,
        adapter=settings.adapter,
        shapes={name: tuple(view.shape[1:]) for name, view in views.items()},
        bytes=tuple(name for name, view in views.items() if view.dtype is torch.uint8),
        modality=request.job.data.modality,
        tasks=(*(earlier.model.spec.tasks if earlier else ()), source),
        **backbone,
    )


def _directory(home: Home, job: MetaJob, dataset: Dataset, earlier: Champion | None) -> Path:
    """Of this job on these data: it goes on in the same one; an update of another meta-model is another training.

    What was learned on other data has seen classes that are held out of these.
    """
    plain = job.model_dump(mode="json")
    for name, usual in (("search", None), ("resources", MetaResourcesSpec().model_dump(mode="json"))):
        if plain[name] == usual:  # as it was before there were such keys
            del plain[name]
    told = canonical_json([plain, earlier.model.digest if earlier else "", dataset.fingerprint])
    return home.meta_models / job.name / TRAININGS / text_digest(told)[:12]


def _begun_otherwise(directory: Path, job: MetaJob) -> str:
    """What to say where the newest training of this name was cut off, and this one does not go on with it."""
    begun = sorted(directory.parent.glob(f"*/{JOB_NAME}"), key=lambda path: path.stat().st_mtime_ns)
    cut_off = [path for path in begun if not any(path.parent.glob(f"*/{MANIFEST}"))]
    if not cut_off:
        return ""
    now = _keys_of(_job_text(job))
    before = [(path.parent, _keys_of(path.read_text(encoding="utf-8", errors="replace"))) for path in cut_off]
    if same := [place for place, was in before if was == now]:
        return f"the data are not those that {same[-1]} was begun with, so this training began anew"
    place, was = before[-1]
    changed = ", ".join(sorted(key for key in {*now, *was} if now.get(key) != was.get(key)))
    told = f"the job is not the one that {place} was begun with (changed: {changed}), so this training began anew"
    return f"{told}; with the job as it was, that one goes on"


def _keys_of(text: str) -> dict[str, Any]:
    """What a job says, by dotted keys; nothing where its file is damaged, which is no fault of another training."""
    try:
        stored = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return dict(flattened(stored)) if isinstance(stored, Mapping) else {}


def _job_text(job: MetaJob) -> str:
    return yaml.safe_dump(job.model_dump(mode="json"), sort_keys=False)


def _beginning(job: MetaJob, directory: Path) -> events.ExperimentStarted:
    if not (directory / JOB_NAME).exists():
        write_text(directory / JOB_NAME, _job_text(job))
    plain = job.model_dump(mode="json")
    if job.is_search and job.search is None:  # what trials are compared by must be said where they are shown
        plain["search"] = MetaSearchSpec().model_dump(mode="json")
    return events.ExperimentStarted(job.name, f"{job.name}-{directory.name}", plain)


def _evaluated(journal: Journal, scores: Mapping[str, Measured]) -> None:
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
