"""The evaluate stage: score the final model on the test rows, which nothing has seen before."""

import logging
from pathlib import Path
from typing import Any

import torch

from graft.core.storage import write_json
from graft.data.batches import Batches
from graft.data.dataset import Dataset, Split, open_dataset
from graft.evaluation.plots import confusion_picture, examples_picture
from graft.evaluation.report import EvaluationReport, build_report
from graft.experiments.progress import TrialProgress
from graft.journal import events
from graft.learner.final_model import FinalModel, final_network
from graft.learner.supervised import EVALUATION_BATCH, choose_device
from graft.pipeline.context import RunContext
from graft.pipeline.stages.runner import Output
from graft.training.predict import predict_proba
from graft.workers.remote import run_remote

_LOG = logging.getLogger(__name__)
CONFUSION_MATRIX, WORST_EXAMPLES = "confusion_matrix.png", "worst_examples.png"


def run_evaluate(run: RunContext, dataset: Dataset, winner: TrialProgress, weights: Path) -> Output:
    """Score in a Ray worker; keep the whole report, journal the metrics and their intervals."""
    threads = run.run_clock.allocation.all_threads
    model = run.final_model(dataset, winner, weights)
    gpus, pictures = run.run_clock.allocation.gpus_per_worker, run.experiment.directory
    report = run_remote(evaluate, model, threads, pictures, num_cpus=threads, num_gpus=gpus)
    write_json(run.experiment.report_file, report)
    intervals = {name: (one["low"], one["high"]) for name, one in report["intervals"].items()}
    run.journal.append(events.Evaluated(report["metrics"], intervals))
    name = run.job.search.metric
    low, high = intervals[name]
    summary = f"test {name} {report['metrics'][name]:.4f} (95 % interval {low:.4f} to {high:.4f})"
    return {"metrics": report["metrics"], "intervals": intervals, "summary": summary}


def evaluate(model: FinalModel, num_threads: int, pictures: Path) -> dict[str, Any]:
    """Score the final model on the test rows: the whole report, as JSON, and its pictures in a directory."""
    dataset = open_dataset(model.dataset)
    network, preprocessing = final_network(model, dataset, num_threads)
    device = choose_device()
    rows = dataset.rows(Split.TEST)
    batches = Batches.of_images(dataset.mapped(), rows, preprocessing, EVALUATION_BATCH, device)
    probabilities, labels = predict_proba(
        network.to(device).to(memory_format=torch.channels_last), batches, model.strategy.precision
    )
    ids = dataset.ids
    named = [ids[row] for row in rows]
    report = build_report(probabilities, labels, dataset.classes, named, seed=model.job.search.seed)
    try:
        _draw(report, dataset, dict(zip(named, rows, strict=True)), pictures)
    except Exception:  # a font, a full disk: no picture is worth the result of a run
        _LOG.warning("the pictures of the evaluation were not drawn", exc_info=True)
    return report.to_dict()


def _draw(report: EvaluationReport, dataset: Dataset, rows: dict[str, int], pictures: Path) -> None:
    images = dataset.images
    worst = examples_picture(report.worst, [images[rows[example.id]] for example in report.worst])
    (pictures / CONFUSION_MATRIX).write_bytes(confusion_picture(report))
    (pictures / WORST_EXAMPLES).write_bytes(worst)
