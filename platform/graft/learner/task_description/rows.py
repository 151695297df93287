"""Features of a sample of the training rows, without those of all the others."""

from dataclasses import replace

import numpy as np

from graft.core.heartbeat import Watch, unwatched
from graft.core.seeds import derive_seed
from graft.data.dataset import Split
from graft.data.feature_store.key import FeatureKey
from graft.data.feature_store.locks import NotStored
from graft.learner.supervised import extraction_for
from graft.learner.training_data import TrainingData
from graft.search.screening.targets import Targets
from graft.spec.strategy import Strategy

SAMPLE_ROWS = 500
_LEFT_OUT = np.uint8(255)
_BATCH = 64


def sample_rows(data: TrainingData, most: int = SAMPLE_ROWS) -> np.ndarray:
    """Training rows, ascending; all if there are no more than `most`, else as many, drawn by the job's seed 0."""
    rows = data.arrays.rows(Split.TRAIN)
    if len(rows) <= most:
        return rows
    rng = np.random.default_rng(derive_seed(0, "task sample"))
    return np.sort(rng.choice(rows, most, replace=False))


def features_of_rows(data: TrainingData, strategy: Strategy, rows: np.ndarray, watch: Watch = unwatched) -> np.ndarray:
    """Features float32 [n, F] of the frozen blocks of a strategy, for some training rows, ascending.

    They are read where a search has stored those of all training rows.

    Args:
        data: what is trained on.
        strategy: whose frozen blocks.
        rows: which.
        watch: what the batches go through that have to be computed.
    """
    whole = extraction_for(data, strategy, Split.TRAIN)
    stored = _stored(data, whole.key)
    if stored is not None:
        return stored[np.searchsorted(data.arrays.rows(Split.TRAIN), rows)]
    splits = np.full(len(data.arrays.splits), _LEFT_OUT)
    splits[rows] = Split.TRAIN
    few = replace(data, arrays=replace(data.arrays, splits=splits, directory=None))
    extract = extraction_for(few, strategy, Split.TRAIN).extract
    parts = [extract(start, min(start + _BATCH, len(rows))) for start in watch(range(0, len(rows), _BATCH))]
    return np.concatenate(parts).astype(np.float32)


def targets_of(data: TrainingData, rows: np.ndarray) -> Targets:
    """What is to be told from the features of rows."""
    targets = np.asarray(data.arrays.targets)[rows]
    is_category = targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer)
    return Targets.of_categories(targets) if is_category else Targets.of_values(targets.astype(np.float64))


def _stored(data: TrainingData, key: FeatureKey) -> np.ndarray | None:
    """What a search has left; None if there is nothing, or no room to have it here."""
    if data.feature_cache is None:
        return None
    try:
        found = data.feature_cache.store.open(key)
    except NotStored:
        return None
    if found is None:
        return None
    with found:
        return np.array(found.rows(slice(0, len(found))))
