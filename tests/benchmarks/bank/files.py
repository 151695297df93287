"""The bank as files of a task memory: records, scores and tasks, for `graft memory import` and `evaluate`."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bank.grid import BACKBONES

from graft.core.errors import DataError
from graft.core.storage import Home, canonical_json
from graft.data.dataset import Dataset
from graft.data.feature_store.key import data_fingerprint
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.task_description.rows import features_of_rows, sample_rows, targets_of
from graft.learner.training_data import training_data_of
from graft.meta.memory.exporting import write_table
from graft.meta.memory.records import Record, Scores, TaskEntry, TrialState
from graft.meta.memory.schema import KINDS, kind_of, to_table
from graft.pipeline.task_memory.entry import task_entry
from graft.search.screening.scores import score_features
from graft.spec.job import Job
from graft.spec.registry import members
from graft.spec.strategy import Strategy
from graft.tracking.provenance import versions_here

SOURCE = "bank"
_STATES = {"non_finite": TrialState.FAILED}


def write_bank(folder: Path, entries: Iterable[Record | Scores | TaskEntry]) -> dict[str, int]:
    """Write the three files; how many entries each has."""
    by_kind: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for entry in entries:
        by_kind[kind_of(entry)].append(entry)
    for kind, some in by_kind.items():
        write_table(to_table(kind, some), folder / f"{kind}.parquet")
    return {kind: len(some) for kind, some in by_kind.items()}


def lines_of(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """What the trainings left."""
    return [json.loads(line) for path in paths if path.exists() for line in path.read_text().splitlines()]


def records(lines: Sequence[Mapping[str, Any]], jobs: Mapping[str, Job], device: str) -> Iterator[Record]:
    """A record for each epoch; its seconds count the frozen blocks once, whoever has computed them."""
    passes, versions = _passes(lines), versions_here()
    for line in lines:
        job = jobs.get(line["task"])
        if job is None:
            continue
        metric, strategy = job.objective, canonical_json(line["strategy"])
        for point in line["curve"]:
            value = point["metrics"].get(metric.name)
            if value is None or not metric.is_possible(value):
                continue
            yield Record(
                task=line["task"],
                modality=job.data.modality,
                task_kind=job.decided_task.kind,
                backbone=line["strategy"]["backbone"],
                metric=metric.name,
                direction=metric.mode,
                value=round(value, 6),
                strategy_json=strategy,
                epoch=point["epoch"],
                epochs=line["epochs"],
                seconds=round(passes[_prefix(line)] + point["seconds"], 3),
                state=_STATES.get(line["status"], TrialState.FINISHED),
                trial=f"bank/{line['task']}/{Strategy.read_stored(line['strategy']).key()}",
                device=device,
                source=SOURCE,
                versions=versions,
                written_at=round(line["written_at"]),
            )


def scores(name: str, job: Job, dataset: Dataset, home: Home) -> Iterator[Scores]:
    """What screening says of the backbones on the training rows of a task, whole and without their last blocks."""
    cache = FeatureCache(FeatureStore(home.features), data_fingerprint(dataset), frozenset())
    data = training_data_of(job, dataset, 1, cache)
    rows, modality = sample_rows(data), members("modality")[job.data.modality]
    targets = targets_of(data, rows)
    for backbone in BACKBONES[job.data.modality]:
        for keep in (1.0, 0.7):
            given = {**modality.reference, "backbone": backbone, "freeze": 1.0, "precision": "fp32"}
            strategy = Strategy.model_validate({**given, "structure": {"keep": keep}})
            try:
                found = score_features(features_of_rows(data, strategy, rows), targets)
            except DataError:
                continue
            for score, value in found.items():
                told = score if keep == 1.0 else f"{score}@{keep:g}"
                yield Scores(name, backbone, told, round(value, 6), SOURCE)


def entry(name: str, job: Job, dataset: Dataset, home: Home) -> TaskEntry:
    """The task with its vector, by its name in the bank."""
    found = task_entry(job, dataset, home)
    rounded = tuple(round(value, 5) for value in found.embedding)
    meta = {key: round(value, 5) for key, value in found.meta_features.items()}
    return TaskEntry(
        task=name,
        modality=found.modality,
        task_kind=found.task_kind,
        rows=found.rows,
        outputs=found.outputs,
        meta_features=meta,
        embedding=rounded,
        embedding_version=found.embedding_version,
        title=name,
        source=SOURCE,
    )


def _prefix(line: Mapping[str, Any]) -> tuple[str, str]:
    return line["task"], json.dumps(line["prefix"]) if line["prefix"] else json.dumps(line["strategy"], sort_keys=True)


def _passes(lines: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    """Task and frozen blocks -> seconds of their pass; of one that was not measured, the median of the others."""
    found = {_prefix(line): float(line["pass_s"]) for line in lines if line["pass_s"] is not None}
    by_blocks: dict[str, list[float]] = defaultdict(list)
    for (_, blocks), seconds in found.items():
        by_blocks[blocks].append(seconds)
    usual = {blocks: statistics.median(some) for blocks, some in by_blocks.items()}
    return {_prefix(line): found.get(_prefix(line), usual.get(_prefix(line)[1], 0.0)) for line in lines}
