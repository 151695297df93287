"""The export stage: write the bundle, and make sure that it answers as the model does."""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import ArtifactError
from graft.core.storage import write_json
from graft.core.stores.copy import bring, bring_tree, drop_tree, publish, publish_tree
from graft.data.dataset import Dataset, Split
from graft.experiments.progress import TrialProgress
from graft.learner.checkpoints import CheckpointStore
from graft.learner.ensemble.members import Member, answer
from graft.learner.final_model import final_network, outputs_on
from graft.learner.training_data import TrainingData, training_data_of
from graft.models.bundle import BundleSpec, EnsembleSpec, MemberBundle, read_bundle, write_bundle
from graft.models.load import describe_backbone
from graft.models.network import Network
from graft.pipeline.context import RunContext
from graft.pipeline.stages.ensemble import members_of
from graft.pipeline.stages.runner import Output
from graft.spec.exporters import ExporterSpec
from graft.spec.registry import build
from graft.workers.remote import run_remote

# A sample of the data and its answer, beside the bundle: what a registered model shows as its input and output.
INPUT_EXAMPLE = "input_example.json"
# The bundle has to answer as the model does, up to the last bits of a sum.
TOLERANCE = 1e-4


def run_export(
    run: RunContext, dataset: Dataset, winner: TrialProgress, fitted: Output, scored: Mapping[str, Any]
) -> Output:
    """Write the bundle of the final model, in a Ray worker.

    Args:
        run: the run.
        dataset: its data.
        winner: of the search.
        fitted: output of the fit.
        scored: `metrics` and `facts` of the evaluation.
    """
    members = members_of(run, dataset, winner, fitted)
    # A bundle that is there now was left by a run that died before it could say so.
    drop_tree(run.experiment.bundle)
    done = run_remote(export, members, run.experiment.bundle, scored["metrics"], scored.get("facts"))
    bring(bring_tree(run.experiment.bundle).with_name(INPUT_EXAMPLE))
    exports = {}
    for spec in run.job.export.formats:
        target = run.experiment.exports / spec.kind
        drop_tree(target)
        exports[spec.kind] = str(target / run_remote(write_format, spec, run.experiment.bundle, target))
    summary = f"{run.experiment.bundle} ({done['bytes'] / 1e6:.1f} MB)" + "".join(f", {kind}" for kind in exports)
    return {**done, "bundle": str(run.experiment.bundle), "exports": exports, "summary": summary}


def write_format(spec: ExporterSpec, bundle: Path, target: Path) -> str:
    """Write a bundle in another form; what was written, as a path below `target`."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    made: Path = build(spec, bring_tree(bundle))(target)
    publish_tree(target)
    return made.relative_to(target).as_posix()


def export_best_so_far(run: RunContext, dataset: Dataset) -> Path | None:
    """A bundle of the best trial up to now, for a run that is being cut short; None if there is none yet."""
    store, progress = CheckpointStore(run.experiment.checkpoints), run.progress
    ranked = ((one, store.best_weights(one.trial, progress.metric, progress.score(one))) for one in progress.ranked())
    best, weights = next(((trial, weights) for trial, weights in ranked if weights), (None, None))
    if best is None or weights is None:
        return None
    bundle = run.experiment.directory / f"best-so-far-{best.trial}"
    drop_tree(bundle)
    run_remote(export, [Member(run.final_model(dataset, best, weights))], bundle, dict(best.best))
    return bring_tree(bundle)


def export(
    members: Sequence[Member], bundle: Path, metrics: dict[str, float], facts: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write the bundle, read it back, and make sure that it answers as the model does.

    Args:
        members: the final model, the winner first.
        bundle: directory to write.
        metrics: of the model.
        facts: that it answers by; those of the data if left out.
    """
    dataset = members[0].model.open_dataset()
    data = training_data_of(members[0].model.job, dataset, num_threads=1)
    known = dict(data.arrays.facts) if facts is None else facts
    network, spec, extra = _part(members[0], dataset, data, known)
    spec = spec.model_copy(update={"metrics": metrics})
    if len(members) > 1:
        own = {**data.arrays.facts, **members[0].facts}
        spec = spec.model_copy(update={"ensemble": EnsembleSpec(share=members[0].share, facts=own)})
    shutil.rmtree(bundle, ignore_errors=True)  # what another run has left on this node
    write_bundle(bundle, network, spec, extra, _others(members[1:], dataset, data))
    _check_round_trip(bundle, members, dataset, data)
    row = data.arrays.rows(Split.TEST)[:1]
    predictions = data.task.decide(answer(members, data, row).outputs[0], known)
    write_json(bundle.with_name(INPUT_EXAMPLE), _example(data, known, int(row[0]), predictions))
    publish_tree(bundle)
    publish(bundle.with_name(INPUT_EXAMPLE))
    return {"bytes": sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())}


def _part(
    member: Member, dataset: Dataset, data: TrainingData, facts: dict[str, Any]
) -> tuple[Network, BundleSpec, Mapping[str, bytes]]:
    """A network, all that its bundle says of it, and the files that go with it."""
    model = member.model
    network, preprocessing = final_network(model, dataset, num_threads=1)
    info = describe_backbone(model.strategy.backbone)
    spec = BundleSpec(
        name=model.job.model_name,
        architecture=info.architecture,
        strategy=model.strategy,
        modality=info.modality,
        task=data.task_spec,
        names=data.arrays.names,
        facts=facts,
        num_outputs=data.task.num_outputs(data.arrays.names),
        preprocessing=preprocessing,
        invariances=dict(data.modality.invariances(data.data)),
        dataset=dataset.fingerprint,
        created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )
    return network, spec, data.modality.bundle_files(preprocessing, info)


def _others(members: Sequence[Member], dataset: Dataset, data: TrainingData) -> Iterator[MemberBundle]:
    for one in members:
        parts = _part(one, dataset, data, {**data.arrays.facts, **one.facts})
        yield MemberBundle(one.trial, one.share, *parts)


def _check_round_trip(bundle: Path, members: Sequence[Member], dataset: Dataset, data: TrainingData) -> None:
    rows = np.arange(min(8, len(data.arrays.targets)))
    found = read_bundle(bundle)
    for member, written in zip(members, (found, *found.members), strict=True):
        network, preprocessing = final_network(member.model, dataset, num_threads=1)
        before = outputs_on(data, network, preprocessing, rows)
        after = outputs_on(data, written.build(), preprocessing, rows)
        worst = float((before - after).abs().max())
        if not worst <= TOLERANCE * max(1.0, float(before.abs().max())):
            told = f"bundle {bundle} answers differently from the model it was made of (by {worst:.2g})"
            raise ArtifactError(f"{told}; please report this")


def _example(data: TrainingData, facts: dict[str, Any], row: int, predictions: np.ndarray) -> dict[str, Any]:
    """A row of the table that a registered model takes, and of the one that it gives."""
    answers = data.task.answers(predictions, data.arrays.names, facts)
    sample = data.modality.example_row(data.arrays.columns, row)
    return {"input": sample, "output": {name: values[0] for name, values in answers.items()}}
