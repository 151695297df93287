"""The export stage: write the bundle, and make sure that it answers as the model does."""

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from graft.core.errors import ArtifactError
from graft.data.batches import Batches
from graft.data.dataset import Dataset, Split, open_dataset
from graft.experiments.progress import TrialProgress
from graft.learner.checkpoints import CheckpointStore
from graft.learner.final_model import FinalModel, final_network
from graft.learner.supervised import EVALUATION_BATCH
from graft.models.bundle import BundleSpec, read_bundle, write_bundle
from graft.models.load import describe_backbone
from graft.models.network import Network
from graft.pipeline.context import RunContext
from graft.pipeline.stages.runner import Output
from graft.spec.preprocessing import Preprocessing
from graft.training.predict import predict_proba
from graft.workers.remote import run_remote

# An image of the data, beside the bundle: what a registered model shows as its input.
INPUT_EXAMPLE = "input_example.png"


def run_export(
    run: RunContext, dataset: Dataset, winner: TrialProgress, weights: Path, metrics: dict[str, float]
) -> Output:
    """Write the bundle of the final model, in a Ray worker."""
    model = run.final_model(dataset, winner, weights)
    # A bundle that is there now was left by a run that died before it could say so.
    shutil.rmtree(run.experiment.bundle, ignore_errors=True)
    done = run_remote(export, model, run.experiment.bundle, metrics)
    return {**done, "summary": f"{run.experiment.bundle} ({done['bytes'] / 1e6:.1f} MB)"}


def export_best_so_far(run: RunContext, dataset: Dataset) -> Path | None:
    """A bundle of the best trial up to now, for a run that is being cut short; None if there is none yet."""
    best_file = CheckpointStore(run.experiment.checkpoints).best_file
    scored = [trial for trial in run.progress.ranked() if trial.best_epoch and best_file(trial.trial).exists()]
    if not scored:
        return None
    bundle = run.experiment.directory / f"best-so-far-{scored[0].trial}"
    shutil.rmtree(bundle, ignore_errors=True)
    model = run.final_model(dataset, scored[0], best_file(scored[0].trial))
    run_remote(export, model, bundle, dict(scored[0].best))
    return bundle


def export(model: FinalModel, bundle: Path, metrics: dict[str, float]) -> dict[str, Any]:
    """Write the bundle, read it back, and make sure that it answers as the model does."""
    dataset = open_dataset(model.dataset)
    network, preprocessing = final_network(model, dataset, num_threads=1)
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
    write_bundle(bundle, network, spec)
    _check_round_trip(bundle, network, dataset, preprocessing)
    _picture(dataset.images[dataset.rows(Split.TEST)[0]]).save(bundle.with_name(INPUT_EXAMPLE))
    return {"bundle": str(bundle), "bytes": sum(file.stat().st_size for file in bundle.iterdir())}


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)


def _check_round_trip(bundle: Path, network: Network, dataset: Dataset, preprocessing: Preprocessing) -> None:
    rows = np.arange(min(8, len(dataset.labels)))
    batches = Batches.of_images(dataset.mapped(), rows, preprocessing, EVALUATION_BATCH)
    before, _ = predict_proba(network, batches)
    after, _ = predict_proba(read_bundle(bundle).build(), batches)
    worst = float(np.abs(before - after).max())
    if not worst <= 1e-4:
        raise ArtifactError(
            f"bundle {bundle} answers differently from the model it was made of (by {worst:.2g}); please report this"
        )
