"""The evaluate stage: score the final model on the test rows, which nothing has seen before."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from graft.core.errors import ArtifactError
from graft.core.storage import write_json
from graft.data.dataset import Dataset, Split
from graft.experiments.progress import TrialProgress
from graft.journal import events
from graft.learner.checkpoints import CheckpointStore
from graft.learner.final_model import FinalModel, final_network, outputs_of_views
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
    tta = report.get("tta")
    run.journal.append(events.Evaluated(report["metrics"], intervals, tta["metrics"] if tta else {}))
    name = run.job.objective.name
    summary = f"test {_score(report, name)}" + (f"; {told_of_views(tta, name)}" if tta else "")
    kept = {key: report.get(key) for key in ("metrics", "validation", "facts", "tta")}
    return {**kept, "intervals": intervals, "summary": summary}


def told_of_views(tta: Mapping[str, Any], name: str) -> str:
    """What several views of each sample bring and cost, in words."""
    cost = f"{tta['ms']:.3g} ms a sample instead of {tta['ms_plain']:.3g}"
    return f"with {tta['views']} views {_score(tta, name)}, {cost}"


def _score(report: Mapping[str, Any], name: str) -> str:
    bounds = report["intervals"][name]
    return f"{name} {shown(report['metrics'][name])} (95 % interval {shown(bounds['low'])} to {shown(bounds['high'])})"


def evaluate(model: FinalModel, judged: FinalModel | None, num_threads: int, pictures: Path) -> dict[str, Any]:
    """Score the final model on the test rows: the whole report, as JSON, and its pictures in a directory.

    Args:
        model: the final one.
        judged: the winner as the search left it, which has not seen the validation rows: what is fitted on these
            (temperature, thresholds, intervals) is fitted with it. None leaves them out.
        num_threads: torch threads.
        pictures: directory.
    """
    dataset = model.open_dataset()
    data = training_data_of(model.job, dataset, num_threads)
    names, seed, task = data.arrays.names, model.job.search.seed, data.task
    facts, validation, ids = dict(data.arrays.facts), None, dataset.ids
    found = _outputs_of_judged(judged, dataset, data)
    if found is not None:
        seen, targets, rows = found
        (outputs,) = seen.outputs
        facts |= task.calibrate(outputs, targets, facts)
        scored = task.report(task.decide(outputs, facts), targets, [ids[row] for row in rows], names, facts, seed)
        validation = {"metrics": scored["metrics"], "intervals": scored["intervals"]}
    seen, targets, rows = _outputs(model, dataset, data, Split.TEST, model.job.export.tta)

    def reported(predictions: np.ndarray) -> dict[str, Any]:
        return task.report(predictions, targets, [ids[row] for row in rows], names, facts, seed)

    decided = [task.decide(outputs, facts) for outputs in seen.outputs]
    report = reported(decided[0])
    if len(decided) > 1:
        averaged = reported(np.mean(decided, axis=0))
        ms = [1000 * seconds / len(rows) for seconds in seen.seconds]
        told = {key: averaged[key] for key in ("metrics", "intervals")}
        report["tta"] = {"views": len(decided), **told, "ms_plain": ms[0], "ms": sum(ms)}
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


@dataclass(frozen=True)
class _Seen:
    """Outputs [N, K] for the samples as they are, then for each view of them; and seconds of each pass."""

    outputs: Sequence[Tensor]
    seconds: Sequence[float]


def _outputs(
    model: FinalModel, dataset: Dataset, data: TrainingData, split: Split, views: int = 1
) -> tuple[_Seen, np.ndarray, np.ndarray]:
    network, preprocessing = final_network(model, dataset, data.num_threads)
    rows, modality = data.arrays.rows(split), data.modality
    others = modality.test_views(views - 1, modality.invariances(data.data), preprocessing) if views > 1 else ()
    if len(others) < views - 1:
        _LOG.warning("export.tta is %d, but %ss have %d views; fewer are taken", views, modality.name, 1 + len(others))
    passes = outputs_of_views(data, network, preprocessing, rows, model.strategy.precision, others)
    outputs, seconds = [], []
    began = time.perf_counter()
    for one in passes:
        outputs.append(one.cpu())  # on a GPU, this waits for the pass
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
    return _Seen(outputs, seconds), data.arrays.targets[rows], rows


def _draw(report: dict[str, Any], dataset: Dataset, data: TrainingData, pictures: Path) -> None:
    places = {name: row for row, name in enumerate(dataset.ids)}

    def preview(ids: Sequence[str]) -> Sequence[Any]:
        rows = np.array([places[name] for name in ids], dtype=np.int64)
        return data.modality.previews(data.arrays.columns, rows)

    for name, content in data.task.figures(report, preview).items():
        (pictures / name).write_bytes(content)
