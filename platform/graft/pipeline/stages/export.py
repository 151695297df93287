"""The export stage: write the bundle, and make sure that it answers as the model does."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import ArtifactError
from graft.core.storage import write_json
from graft.data.dataset import Dataset, Split
from graft.experiments.progress import TrialProgress
from graft.learner.checkpoints import CheckpointStore
from graft.learner.final_model import FinalModel, final_network, outputs_on
from graft.learner.training_data import TrainingData, training_data_of
from graft.models.bundle import BundleSpec, read_bundle, write_bundle
from graft.models.load import describe_backbone
from graft.models.network import Network
from graft.pipeline.context import RunContext
from graft.pipeline.stages.runner import Output
from graft.spec.exporters import ExporterSpec
from graft.spec.modalities.base import Preprocessing
from graft.spec.registry import build
from graft.workers.remote import run_remote

# A sample of the data and its answer, beside the bundle: what a registered model shows as its input and output.
INPUT_EXAMPLE = "input_example.json"
# The bundle has to answer as the model does, up to the last bits of a sum.
TOLERANCE = 1e-4


def run_export(
    run: RunContext, dataset: Dataset, winner: TrialProgress, weights: Path, scored: Mapping[str, Any]
) -> Output:
    """Write the bundle of the final model, in a Ray worker.

    Args:
        run: the run.
        dataset: its data.
        winner: of the search.
        weights: of the final model.
        scored: `metrics` and `facts` of the evaluation.
    """
    model = run.final_model(dataset, winner, weights)
    # A bundle that is there now was left by a run that died before it could say so.
    shutil.rmtree(run.experiment.bundle, ignore_errors=True)
    done = run_remote(export, model, run.experiment.bundle, scored["metrics"], scored.get("facts"))
    exports = {}
    for spec in run.job.export.formats:
        target = run.experiment.exports / spec.kind
        shutil.rmtree(target, ignore_errors=True)
        exports[spec.kind] = str(run_remote(write_format, spec, run.experiment.bundle, target))
    summary = f"{run.experiment.bundle} ({done['bytes'] / 1e6:.1f} MB)" + "".join(f", {kind}" for kind in exports)
    return {**done, "exports": exports, "summary": summary}


def write_format(spec: ExporterSpec, bundle: Path, target: Path) -> str:
    """Write a bundle in another form."""
    return str(build(spec, bundle)(target))


def export_best_so_far(run: RunContext, dataset: Dataset) -> Path | None:
    """A bundle of the best trial up to now, for a run that is being cut short; None if there is none yet."""
    store, progress = CheckpointStore(run.experiment.checkpoints), run.progress
    ranked = ((one, store.best_weights(one.trial, progress.metric, progress.score(one))) for one in progress.ranked())
    best, weights = next(((trial, weights) for trial, weights in ranked if weights), (None, None))
    if best is None or weights is None:
        return None
    bundle = run.experiment.directory / f"best-so-far-{best.trial}"
    shutil.rmtree(bundle, ignore_errors=True)
    run_remote(export, run.final_model(dataset, best, weights), bundle, dict(best.best))
    return bundle


def export(
    model: FinalModel, bundle: Path, metrics: dict[str, float], facts: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write the bundle, read it back, and make sure that it answers as the model does."""
    dataset = model.open_dataset()
    data = training_data_of(model.job, dataset, num_threads=1)
    network, preprocessing = final_network(model, dataset, num_threads=1)
    info = describe_backbone(model.strategy.backbone)
    known = dict(data.arrays.facts) if facts is None else facts
    spec = BundleSpec(
        name=model.job.model_name,
        architecture=info.architecture,
        strategy=model.strategy,
        modality=info.modality,
        task=data.task_spec,
        names=data.arrays.names,
        facts=known,
        num_outputs=data.task.num_outputs(data.arrays.names),
        preprocessing=preprocessing,
        invariances=dict(data.modality.invariances(data.data)),
        metrics=metrics,
        dataset=dataset.fingerprint,
        created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )
    write_bundle(bundle, network, spec, data.modality.bundle_files(preprocessing, info))
    _check_round_trip(bundle, data, network, preprocessing)
    write_json(bundle.with_name(INPUT_EXAMPLE), _example(data, known, network, preprocessing))
    return {"bundle": str(bundle), "bytes": sum(file.stat().st_size for file in bundle.iterdir())}


def _check_round_trip(bundle: Path, data: TrainingData, network: Network, preprocessing: Preprocessing) -> None:
    rows = np.arange(min(8, len(data.arrays.targets)))
    before = outputs_on(data, network, preprocessing, rows)
    after = outputs_on(data, read_bundle(bundle).build(), preprocessing, rows)
    worst = float((before - after).abs().max())
    if not worst <= TOLERANCE * max(1.0, float(before.abs().max())):
        raise ArtifactError(
            f"bundle {bundle} answers differently from the model it was made of (by {worst:.2g}); please report this"
        )


def _example(data: TrainingData, facts: dict[str, Any], network: Network, given: Preprocessing) -> dict[str, Any]:
    """A row of the table that a registered model takes, and of the one that it gives."""
    row = data.arrays.rows(Split.TEST)[:1]
    predictions = data.task.decide(outputs_on(data, network, given, row), facts)
    answers = data.task.answers(predictions, data.arrays.names, facts)
    sample = data.modality.example_row(data.arrays.columns, int(row[0]))
    return {"input": sample, "output": {name: values[0] for name, values in answers.items()}}
