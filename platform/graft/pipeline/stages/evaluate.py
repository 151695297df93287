"""The evaluate stage: score the final model on the test rows, which nothing has seen before."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import ArtifactError
from graft.core.storage import write_json
from graft.data.dataset import Dataset, Split, open_dataset
from graft.experiments.progress import TrialProgress
from graft.journal import events
from graft.learner.checkpoints import CheckpointStore
from graft.learner.final_model import FinalModel, final_network, outputs_on
from graft.learner.training_data import TrainingData, training_data_of
from graft.pipeline.context import RunContext
from graft.pipeline.stages.runner import Output
from graft.spec.metrics import shown
from graft.workers.remote import run_remote

_LOG = logging.getLogger(__name__)


def run_evaluate(run: RunContext, dataset: Dataset, winner: TrialProgress, weights: Path) -> Output:
    """Score in a Ray worker; keep the whole report, journal the metrics and their intervals."""
    threads = run.run_clock.allocation.all_threads
    model = run.final_model(dataset, winner, weights)
    store, progress = CheckpointStore(run.experiment.checkpoints), run.progress
    left = store.best_weights(winner.trial, progress.metric, progress.score(winner))
    judged = replace(model, weights=left) if left else None
    gpus, pictures = run.run_clock.allocation.gpus_per_worker, run.experiment.directory
    report = run_remote(evaluate, model, judged, threads, pictures, num_cpus=threads, num_gpus=gpus)
    write_json(run.experiment.report_file, report)
    intervals = {name: (one["low"], one["high"]) for name, one in report["intervals"].items()}
    run.journal.append(events.Evaluated(report["metrics"], intervals))
    name = run.job.objective.name
    low, high = intervals[name]
    summary = f"test {name} {shown(report['metrics'][name])} (95 % interval {shown(low)} to {shown(high)})"
    kept = {key: report[key] for key in ("metrics", "validation", "facts")}
    return {**kept, "intervals": intervals, "summary": summary}


def evaluate(model: FinalModel, judged: FinalModel | None, num_threads: int, pictures: Path) -> dict[str, Any]:
    """Score the final model on the test rows: the whole report, as JSON, and its pictures in a directory.

    Args:
        model: the final one.
        judged: the winner as the search left it, which has not seen the validation rows: what is fitted on these
            (temperature, thresholds, intervals) is fitted with it. None leaves them out.
        num_threads: torch threads.
        pictures: directory.
    """
    dataset = open_dataset(model.dataset)
    data = training_data_of(model.job, dataset, num_threads)
    names, seed, task = data.arrays.names, model.job.search.seed, data.task
    facts, validation, ids = dict(data.arrays.facts), None, dataset.ids
    found = _outputs_of_judged(judged, dataset, data)
    if found is not None:
        outputs, targets, rows = found
        facts |= task.calibrate(outputs, targets, facts)
        seen = task.report(task.decide(outputs, facts), targets, [ids[row] for row in rows], names, facts, seed)
        validation = {"metrics": seen["metrics"], "intervals": seen["intervals"]}
    outputs, targets, rows = _outputs(model, dataset, data, Split.TEST)
    report = task.report(task.decide(outputs, facts), targets, [ids[row] for row in rows], names, facts, seed)
    try:
        _draw(report, dataset, data, pictures)
    except Exception:  # a font, a full disk: no picture is worth the result of a run
        _LOG.warning("the pictures of the evaluation were not drawn", exc_info=True)
    return {**report, "validation": validation, "facts": facts}


def _outputs_of_judged(judged: FinalModel | None, dataset: Dataset, data: TrainingData) -> Any:
    """Of the winner on the validation rows; None without it: the final model does not need its weights."""
    if judged is None:
        return None
    try:
        return _outputs(judged, dataset, data, Split.VALIDATION)
    except ArtifactError as error:
        _LOG.warning("nothing is fitted on the validation rows: %s", error)
        return None


def _outputs(model: FinalModel, dataset: Dataset, data: TrainingData, split: Split) -> tuple[Any, np.ndarray, Any]:
    network, preprocessing = final_network(model, dataset, data.num_threads)
    rows = data.arrays.rows(split)
    outputs = outputs_on(data, network, preprocessing, rows, model.strategy.precision)
    return outputs, data.arrays.targets[rows], rows


def _draw(report: dict[str, Any], dataset: Dataset, data: TrainingData, pictures: Path) -> None:
    places = {name: row for row, name in enumerate(dataset.ids)}

    def preview(ids: Sequence[str]) -> Sequence[Any]:
        rows = np.array([places[name] for name in ids], dtype=np.int64)
        return data.modality.previews(data.arrays.columns, rows)

    for name, content in data.task.figures(report, preview).items():
        (pictures / name).write_bytes(content)
