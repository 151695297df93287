"""Features of every sample of a job: from the store where they are there, else into it, else just computed.

With all blocks, they are the features that a linear probe of the job is trained on, under the same key: a search that
met them before has left them, and one that comes later finds them. Of fewer blocks the store keeps them pooled, which
is some hundred times less than what trials of that cut go on from.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from graft.core.errors import ArtifactError
from graft.core.storage import Home, canonical_json
from graft.data.dataset import Dataset, Split, open_dataset
from graft.data.examination.finding import check_findings
from graft.data.feature_store.features import Extract, Features, Produce, in_process
from graft.data.feature_store.key import data_fingerprint
from graft.data.feature_store.locks import NotStored
from graft.data.feature_store.store import FeatureStore, Watch
from graft.data.ingest import ingest
from graft.data.plan import Ingestion
from graft.doctor.examiner import Doctor
from graft.learner.cached_features import EXTRACTION_BATCH, Extraction, FeatureCache
from graft.learner.materialise import LARGE
from graft.learner.pretrained import pretrained
from graft.learner.supervised import extraction_for
from graft.learner.training_data import TrainingData, training_data_of
from graft.models.backbone import Backbone, unpacked
from graft.pipeline.features.request import FeatureRequest
from graft.pipeline.features.table import OnRows, RowsOfSplit
from graft.pipeline.ray_session import ray_session
from graft.pipeline.stages.ingest import ingestion_of
from graft.workers.feature_pool import RayProduce

READ_ROWS = 4096
"""Rows that are read from the store at once."""


@dataclass
class Counted:
    """Where the features of how many rows came from.

    Attributes:
        stored: they were in the feature store.
        computed: they were computed now.
        unstored: why the store did not take them; empty if it did.
    """

    stored: int = 0
    computed: int = 0
    unstored: str = ""


@dataclass(frozen=True)
class FeatureFactory:
    """Makes, in a process of a pool, what computes the features of a split.

    Attributes:
        request: whose.
        dataset: its directory.
        store: of features.
        split: of the dataset.
    """

    request: FeatureRequest
    dataset: Path
    store: FeatureStore
    split: Split

    def __call__(self) -> Extract:
        return self.extraction().extract

    def extraction(self) -> Extraction:
        """What computes the features [n, F], and their key."""
        dataset = open_dataset(self.dataset)
        cache = FeatureCache(self.store, data_fingerprint(dataset), frozenset())
        data = training_data_of(self.request.job, dataset, num_threads=1, feature_cache=cache)
        whole = extraction_for(data, self.request.strategy, self.split)
        return whole if self.request.is_whole else _pooled(whole, self.store, self._backbone(data))

    def _backbone(self, data: TrainingData) -> Backbone:
        return pretrained(self.request.strategy, data).backbone


def dataset_of(request: FeatureRequest, home: Home, on_rows: OnRows) -> Dataset:
    """The dataset of a request; Ray is started only if nobody has made it yet.

    Raises:
        DataError: it cannot be used, or the examination found what the job says must fail.
    """
    work = ingestion_of(request.job)
    with contextlib.nullcontext() if is_there(work, home) else ray_session():
        dataset = ingest(work, home.datasets, on_rows)
    check_findings(Doctor(request.job.data.clean).decided(dataset.findings or ()))
    return dataset


def feature_rows(
    request: FeatureRequest, dataset: Dataset, home: Home, on_rows: OnRows, counted: Counted
) -> Iterator[RowsOfSplit]:
    """Features of the splits, one after another, a few thousand rows at a time; nothing else is held in memory.

    Args:
        request: which.
        dataset: the samples.
        home: where the store is.
        on_rows: told after every few rows how many of how many have been computed or read.
        counted: is told where they came from.
    """
    store, done = FeatureStore(home.features), 0
    total = sum(len(dataset.rows(split)) for split in request.splits)

    for split in request.splits:
        rows, before = dataset.rows(split), done
        if not len(rows):
            continue

        def told(now: int, _: int, before: int = before) -> None:
            on_rows(before + now, total)

        for first, features in _of_split(FeatureFactory(request, dataset.directory, store, split), told, counted):
            done = before + first + len(features)
            yield RowsOfSplit(split, rows[first : first + len(features)], features)
        on_rows(done, total)


def _of_split(factory: FeatureFactory, on_rows: OnRows, counted: Counted) -> Iterator[tuple[int, np.ndarray]]:
    one = factory.extraction()
    try:
        features = _stored(factory, one, on_rows)
    except NotStored as error:
        counted.unstored = str(error)
        counted.computed += one.rows
        yield from _computed(one, on_rows)
        return
    with features:
        if features.work.kind in ("built", "repaired"):
            counted.computed += features.work.rows
        counted.stored += one.rows - features.work.rows
        for first in range(0, len(features), READ_ROWS):
            yield first, features.rows(slice(first, first + READ_ROWS))


def _stored(factory: FeatureFactory, one: Extraction, on_rows: OnRows) -> Features:
    found = factory.store.open(one.key)
    if found is not None:
        return found
    shape = one.extract(0, 1).shape[1:]
    is_large = one.rows >= LARGE
    with ray_session() if is_large else contextlib.nullcontext():
        produce: Produce = in_process(one.extract, EXTRACTION_BATCH)
        if is_large:
            produce = RayProduce(factory, EXTRACTION_BATCH)
        return factory.store.build(one.key, shape, one.rows, produce, Watch(on_rows=on_rows))


def _computed(one: Extraction, on_rows: OnRows) -> Iterator[tuple[int, np.ndarray]]:
    """Without the store, a batch at a time."""
    for first in range(0, one.rows, EXTRACTION_BATCH):
        stop = min(first + EXTRACTION_BATCH, one.rows)
        yield first, one.extract(first, stop)
        on_rows(stop, one.rows)


def _pooled(one: Extraction, store: FeatureStore, backbone: Backbone) -> Extraction:
    """What the backbone's own pool, which has no parameters, makes of the activations at a cut.

    Where a search has left the activations themselves, they are read and not computed.
    """
    activations = store.open(one.key)

    def extract(start: int, stop: int) -> np.ndarray:
        whole = one.extract(start, stop) if activations is None else activations.rows(slice(start, stop))
        with torch.inference_mode():
            pooled = backbone.pool(unpacked(torch.from_numpy(np.array(whole)), backbone.is_sequential))
        array: np.ndarray = pooled.float().numpy()
        return array

    key = replace(one.key, preprocessing=canonical_json({"pooled": one.key.preprocessing}))
    return Extraction(key, one.rows, extract)


def is_there(work: Ingestion, home: Home) -> bool:
    try:
        open_dataset(home.datasets / work.plan.key)
    except ArtifactError:
        return False
    return True
