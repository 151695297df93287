"""A job's samples as trials see them, decoded in this process: for benchmarks that need no cluster."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from graft.data.columns import Column, Ragged
from graft.data.dataset import DatasetArrays, Split
from graft.data.plan import plan_ingest
from graft.learner.training_data import TrainingData
from graft.modalities.registry import build_modality
from graft.pipeline.resolve import resolve_job
from graft.spec.load import parse_job
from graft.tasks.registry import build_task


def training_data_of(raw: Mapping[str, Any], num_threads: int = 1) -> TrainingData:
    """What the trials of a job are trained on.

    Args:
        raw: the job.
        num_threads: torch threads.
    """
    job = resolve_job(parse_job(raw)).job
    modality, task = build_modality(job.data.modality), build_task(job.decided_task)
    listing = modality.list(job.data)
    storage = modality.storage(listing, job.strategy)
    plan = plan_ingest(listing, job.data, task, storage)
    block = modality.decoder(job.data, listing, storage)([listing.sources[int(row)] for row in plan.rows])
    columns: dict[str, Column] = {}
    for spec in storage.columns:
        found = block.columns[spec.name]
        columns[spec.name] = Ragged.of(list(found), spec.dtype) if spec.shape is None else np.asarray(found)
    training = plan.targets.values[plan.splits == Split.TRAIN]
    facts = task.facts(training, plan.targets.names)
    arrays = DatasetArrays(columns, plan.targets.values, plan.splits, plan.targets.names, facts)
    epochs, seed = job.training.epochs, job.search.seed
    return TrainingData(arrays, storage, job.data, job.decided_task, job.objective, epochs, None, seed, num_threads)


def sampled(data: TrainingData, share: float, seed: int) -> np.ndarray:
    """Splits in which only a share of the training rows is left, the same share of each class."""
    rng, splits = np.random.default_rng(seed), np.array(data.arrays.splits)
    rows = np.flatnonzero(splits == Split.TRAIN)
    for label in np.unique(data.arrays.targets[rows]):
        some = rng.permutation(rows[data.arrays.targets[rows] == label])
        splits[some[max(round(share * len(some)), 1) :]] = 255
    return splits
