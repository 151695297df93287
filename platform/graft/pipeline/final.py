"""What follows the fit: score the final model on the test rows, write the bundle.

Each function runs in a Ray worker (`training.worker.run_remote`), takes plain values and paths, and returns JSON.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from graft.core.errors import ArtifactError
from graft.data.batches import Batches
from graft.data.dataset import Dataset, Split, open_dataset
from graft.evaluation.plots import confusion_picture, examples_picture
from graft.evaluation.report import EvaluationReport, build_report
from graft.models.bundle import BundleSpec, read_bundle, write_bundle
from graft.models.classifier import Classifier
from graft.models.load import describe_backbone
from graft.pipeline.learning import EVALUATION_BATCH, Lesson, build_classifier, choose_device
from graft.pipeline.shelf import Shelf
from graft.search.strategy_schedule import Schedule
from graft.spec.job import Job
from graft.spec.preprocessing import Preprocessing
from graft.spec.strategy import Strategy
from graft.training.checkpoint import load_state
from graft.training.evaluate import predict_proba
from graft.transfer.adapt import adapt

_LOG = logging.getLogger(__name__)
CONFUSION_MATRIX, WORST_EXAMPLES = "confusion_matrix.png", "worst_examples.png"
# An image of the data, beside the bundle: what a registered model shows as its input.
INPUT_EXAMPLE = "input_example.png"


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


def evaluate(model: FinalModel, num_threads: int, pictures: Path) -> dict[str, Any]:
    """Score the final model on the test rows: the whole report, as JSON, and its pictures in a directory."""
    dataset = open_dataset(model.dataset)
    classifier, preprocessing = final_classifier(model, dataset, num_threads)
    device = choose_device()
    rows = dataset.rows(Split.TEST)
    batches = Batches.of_images(dataset.mapped(), rows, preprocessing, EVALUATION_BATCH, device)
    probabilities, labels = predict_proba(
        classifier.to(device).to(memory_format=torch.channels_last), batches, model.strategy.precision
    )
    ids = dataset.ids
    named = [ids[row] for row in rows]
    report = build_report(probabilities, labels, dataset.classes, named, seed=model.job.search.seed)
    try:
        _draw(report, dataset, dict(zip(named, rows, strict=True)), pictures)
    except Exception:  # a font, a full disk: no picture is worth the result of a run
        _LOG.warning("the pictures of the evaluation were not drawn", exc_info=True)
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
    _picture(dataset.images[dataset.rows(Split.TEST)[0]]).save(bundle.with_name(INPUT_EXAMPLE))
    return {"bundle": str(bundle), "bytes": sum(file.stat().st_size for file in bundle.iterdir())}


def lesson_of(
    job: Job, dataset: Dataset, num_threads: int, in_memory: bool = False, shelf: Shelf | None = None
) -> Lesson:
    """What every strategy of a job is taught with.

    Args:
        job: the job.
        dataset: its data.
        num_threads: torch threads.
        in_memory: whether all images are read now, to be shared by many; else each process reads what it needs.
        shelf: where features of frozen blocks are.
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
        compile=job.training.compile,
        shelf=shelf,
    )


def final_classifier(model: FinalModel, dataset: Dataset, num_threads: int) -> tuple[Classifier, Preprocessing]:
    """The network with the final weights, in eval mode on the CPU."""
    lesson = lesson_of(model.job, dataset, num_threads)
    classifier, preprocessing = build_classifier(lesson, model.strategy)
    adapted = adapt(classifier, model.strategy, lesson.seed)
    adapted.model.load_changing_state(load_state(model.weights).part("best"))
    return classifier.eval(), preprocessing


def _draw(report: EvaluationReport, dataset: Dataset, rows: dict[str, int], pictures: Path) -> None:
    images = dataset.images
    worst = examples_picture(report.worst, [images[rows[example.id]] for example in report.worst])
    (pictures / CONFUSION_MATRIX).write_bytes(confusion_picture(report))
    (pictures / WORST_EXAMPLES).write_bytes(worst)


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)


def _check_round_trip(bundle: Path, classifier: Classifier, dataset: Dataset, preprocessing: Preprocessing) -> None:
    rows = np.arange(min(8, len(dataset.labels)))
    batches = Batches.of_images(dataset.mapped(), rows, preprocessing, EVALUATION_BATCH)
    before, _ = predict_proba(classifier, batches)
    after, _ = predict_proba(read_bundle(bundle).build(), batches)
    worst = float(np.abs(before - after).max())
    if not worst <= 1e-4:
        raise ArtifactError(
            f"bundle {bundle} answers differently from the model it was made of (by {worst:.2g}); please report this"
        )
