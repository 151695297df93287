"""The evaluate stage: score the final model on the test rows, which nothing has seen before."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import ArtifactError
from graft.core.storage import disk_full_is_clear, write_json
from graft.core.stores.copy import Copy, publish
from graft.data.dataset import Dataset, Split
from graft.experiments.progress import TrialProgress
from graft.journal import events
from graft.learner.ensemble.members import Answered, Member, answer
from graft.learner.training_data import TrainingData, training_data_of
from graft.pipeline.context import RunContext
from graft.pipeline.stages.ensemble import judged_members, members_of
from graft.pipeline.stages.runner import Output
from graft.spec.metrics import shown
from graft.workers.remote import run_remote

_LOG = logging.getLogger(__name__)


def run_evaluate(run: RunContext, dataset: Dataset, winner: TrialProgress, fitted: Output) -> Output:
    """Score in a Ray worker; keep the whole report, journal the metrics and their intervals."""
    threads = run.run_clock.allocation.all_threads
    members, judged = (found(run, dataset, winner, fitted) for found in (members_of, judged_members))
    share, pictures = run.run_clock.allocation, run.experiment.directory
    asked = (members, judged, threads, pictures)
    report = run_remote(evaluate, *asked, num_cpus=threads, num_gpus=share.gpus_per_worker, labels=share.labels)
    write_json(run.experiment.report_file, report)
    intervals = {name: (one["low"], one["high"]) for name, one in report["intervals"].items()}
    tta, ensemble = report.get("tta"), report.get("ensemble")
    event = events.Evaluated(report["metrics"], intervals, tta["metrics"] if tta else {})
    if ensemble:
        cost = {"all": ensemble["ms"], "alone": ensemble["ms_alone"]}
        event = replace(event, alone=ensemble["alone"]["metrics"], ms=cost)
    run.journal.append(event)
    name = run.job.objective.name
    summary = f"test {_score(report, name)}" + (f"; {told_of_views(tta, name)}" if tta else "")
    summary += f"; {told_of_ensemble(ensemble, name)}" if ensemble else ""
    kept = {key: report.get(key) for key in ("metrics", "validation", "facts", "tta", "ensemble")}
    return {**kept, "intervals": intervals, "summary": summary}


def told_of_views(tta: Mapping[str, Any], name: str) -> str:
    """What several views of each sample bring and cost, in words."""
    cost = f"{tta['ms']:.3g} ms a sample instead of {tta['ms_plain']:.3g}"
    return f"with {tta['views']} views {_score(tta, name)}, {cost}"


def told_of_ensemble(ensemble: Mapping[str, Any], name: str) -> str:
    """What an ensemble brings and costs beside its first member, in words."""
    cost = f"{ensemble['ms']:.3g} ms a sample instead of {ensemble['ms_alone']:.3g}"
    return f"{len(ensemble['members'])} members, {cost}; the winner alone {_score(ensemble['alone'], name)}"


def _score(report: Mapping[str, Any], name: str) -> str:
    bounds = report["intervals"][name]
    return f"{name} {shown(report['metrics'][name])} (95 % interval {shown(bounds['low'])} to {shown(bounds['high'])})"


def evaluate(members: Sequence[Member], judged: Sequence[Member], num_threads: int, pictures: Path) -> dict[str, Any]:
    """Score the final model on the test rows: the whole report, as JSON, and its pictures in a directory.

    Args:
        members: the final model, the winner first.
        judged: the same as the search left them, which have not seen the validation rows: what is fitted on these
            (temperature, thresholds, intervals) is fitted with them. None of them leaves them out.
        num_threads: torch threads.
        pictures: directory.
    """
    job = members[0].model.job
    dataset = members[0].model.open_dataset()
    data = training_data_of(job, dataset, num_threads)
    names, seed, task, ids = data.arrays.names, job.search.seed, data.task, dataset.ids
    rows, validation = data.arrays.rows(Split.TEST), None

    def reported(predictions: np.ndarray, rows: np.ndarray, facts: Mapping[str, Any]) -> dict[str, Any]:
        return task.report(predictions, data.arrays.targets[rows], [ids[row] for row in rows], names, facts, seed)

    facts, answered = calibrated(judged, data)
    if answered is not None:
        seen = data.arrays.rows(Split.VALIDATION)
        scored = reported(task.decide(answered.outputs[0], facts), seen, facts)
        validation = {"metrics": scored["metrics"], "intervals": scored["intervals"]}
    found = answer(members, data, rows, job.export.tta)
    if len(found.outputs) < job.export.tta:
        _LOG.warning("export.tta is %d, but samples have %d views; fewer are taken", job.export.tta, len(found.outputs))
    decided = [task.decide(outputs, facts) for outputs in found.outputs]
    report = reported(decided[0], rows, facts)
    each = 1000 / len(rows)
    if len(decided) > 1:
        told = _told(reported(np.mean(decided, axis=0), rows, facts))
        ms = {"ms_plain": each * found.seconds[0], "ms": each * sum(found.seconds)}
        report["tta"] = {"views": len(decided), **told, **ms}
    if len(members) > 1:
        own = {**data.arrays.facts, **members[0].facts}
        alone = _told(reported(task.decide(found.alone, own), rows, own))
        ms = {"ms_alone": each * found.seconds_alone, "ms": each * found.seconds[0]}
        report["ensemble"] = {"members": [_named(one) for one in members], "alone": alone, **ms}
    try:
        _draw(report, dataset, data, pictures)
    except Exception:  # a font, a full disk: no picture is worth the result of a run
        _LOG.warning("the pictures of the evaluation were not drawn", exc_info=True)
    return {**report, "validation": validation, "facts": facts}


def calibrated(judged: Sequence[Member], data: TrainingData) -> tuple[dict[str, Any], Answered | None]:
    """The facts of the data with those that are fitted on the validation rows, and the answers that they are fitted to.

    Without the weights that the search has left nothing is fitted: the final model does not need it.
    """
    facts = dict(data.arrays.facts)
    if not judged:
        return facts, None
    rows = data.arrays.rows(Split.VALIDATION)
    try:
        answered = answer(judged, data, rows)
    except ArtifactError as error:
        _LOG.warning("nothing is fitted on the validation rows: %s", error)
        return facts, None
    return {**facts, **data.task.calibrate(answered.outputs[0], data.arrays.targets[rows], facts)}, answered


def _told(report: Mapping[str, Any]) -> dict[str, Any]:
    return {key: report[key] for key in ("metrics", "intervals")}


def _named(member: Member) -> dict[str, Any]:
    strategy = member.model.strategy
    return {"trial": member.trial, "share": member.share, "backbone": strategy.backbone, "label": strategy.label()}


def _draw(report: dict[str, Any], dataset: Dataset, data: TrainingData, pictures: Path) -> None:
    places = {name: row for row, name in enumerate(dataset.ids)}

    def preview(ids: Sequence[str]) -> Sequence[Any]:
        rows = np.array([places[name] for name in ids], dtype=np.int64)
        return data.modality.previews(data.arrays.columns, rows)

    if Copy.of(pictures) is not None:  # of a node that has nothing of this experiment yet
        pictures.mkdir(parents=True, exist_ok=True)
    for name, content in data.task.figures(report, preview).items():
        with disk_full_is_clear(pictures / name):
            (pictures / name).write_bytes(content)
        publish(pictures / name)
