"""What follows the fit: score the final model on the test rows, write the bundle.

Each function runs in a Ray worker (`training.worker.run_remote`), takes plain values and paths, and returns JSON.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graft.core.errors import ArtifactError
from graft.data.batches import Batches
from graft.data.dataset import Dataset, Split, open_dataset
from graft.evaluation.report import build_report
from graft.models.bundle import BundleSpec, read_bundle, write_bundle
from graft.models.classifier import Classifier
from graft.models.load import describe_backbone
from graft.pipeline.learning import EVALUATION_BATCH, Lesson, build_classifier, choose_device
from graft.search.strategy_schedule import Schedule
from graft.spec.job import Job
from graft.spec.preprocessing import Preprocessing
from graft.spec.strategy import Strategy
from graft.training.checkpoint import load_state
from graft.training.evaluate import predict_proba
from graft.transfer.adapt import adapt


@dataclass(frozen=True)
class FinalModel:
    """Where the final model stands: how it is trained, and the file with the weights that training changed."""

    job: Job
    dataset: Path
    schedule: Schedule
    weights: Path

    @property
    def strategy(self) -> Strategy:
        """The strategy it ends with; all strategies of a schedule have one architecture."""
        return self.schedule.stretches[-1].strategy


def evaluate(model: FinalModel, num_threads: int) -> dict[str, Any]:
    """Score the final model on the test rows: the whole report, as JSON."""
    dataset = open_dataset(model.dataset)
    classifier, preprocessing = final_classifier(model, dataset, num_threads)
    device = choose_device()
    rows = dataset.rows(Split.TEST)
    batches = Batches(dataset.mapped(), rows, preprocessing, EVALUATION_BATCH, device)
    probabilities, labels = predict_proba(
        classifier.to(device).to(memory_format=torch.channels_last), batches, model.strategy.precision
    )
    ids = dataset.ids
    report = build_report(
        probabilities, labels, dataset.classes, [ids[row] for row in rows], seed=model.job.search.seed
    )
    return report.to_dict()


def export(model: FinalModel, bundle: Path, metrics: dict[str, float]) -> dict[str, Any]:
    """Write the bundle, read it back, and make sure that it answers as the model does."""
    dataset = open_dataset(model.dataset)
    classifier, preprocessing = final_classifier(model, dataset, num_threads=1)
    spec = BundleSpec(
        name=model.job.model_name,
        architecture=describe_backbone(model.strategy.backbone).architecture,
        strategy=model.strategy,
        labels=dataset.classes,
        preprocessing=preprocessing,
        metrics=metrics,
        dataset=dataset.fingerprint,
        created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )
    write_bundle(bundle, classifier, spec)
    _check_round_trip(bundle, classifier, dataset, preprocessing)
    return {"bundle": str(bundle), "bytes": sum(file.stat().st_size for file in bundle.iterdir())}


def lesson_of(job: Job, dataset: Dataset, num_threads: int, in_memory: bool = False) -> Lesson:
    """What every strategy of a job is taught with.

    Args:
        job: the job.
        dataset: its data.
        num_threads: torch threads.
        in_memory: whether all images are read now, to be shared by many; else each process reads what it needs.
    """
    return Lesson(
        arrays=dataset.arrays() if in_memory else dataset.mapped(),
        stored=dataset.stored,
        flip=job.data.flip,
        metric=job.search.objective,
        epochs=job.training.epochs,
        patience=job.training.patience,
        seed=job.search.seed,
        num_threads=num_threads,
    )


def final_classifier(model: FinalModel, dataset: Dataset, num_threads: int) -> tuple[Classifier, Preprocessing]:
    """The network with the final weights, in eval mode on the CPU."""
    lesson = lesson_of(model.job, dataset, num_threads)
    classifier, preprocessing = build_classifier(lesson, model.strategy)
    adapted = adapt(classifier, model.strategy, lesson.seed)
    adapted.model.load_changing_state(load_state(model.weights).part("best"))
    return classifier.eval(), preprocessing


def _check_round_trip(bundle: Path, classifier: Classifier, dataset: Dataset, preprocessing: Preprocessing) -> None:
    rows = np.arange(min(8, len(dataset.labels)))
    batches = Batches(dataset.mapped(), rows, preprocessing, EVALUATION_BATCH)
    before, _ = predict_proba(classifier, batches)
    after, _ = predict_proba(read_bundle(bundle).build(), batches)
    worst = float(np.abs(before - after).max())
    if not worst <= 1e-4:
        raise ArtifactError(
            f"bundle {bundle} answers differently from the model it was made of (by {worst:.2g}); please report this"
        )
