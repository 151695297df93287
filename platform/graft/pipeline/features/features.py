"""From a job to the table of its samples' features: in a file, or in memory."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from graft.core.storage import Home
from graft.data.dataset import Dataset
from graft.pipeline.features.extract import Counted, dataset_of, feature_rows
from graft.pipeline.features.request import FeatureRequest
from graft.pipeline.features.table import FEATURES, batches_of, write_table
from graft.tasks.registry import build_task

OnProgress = Callable[[str, int, int], None]
"""Told what is done (``samples``, ``features``), and how many rows of how many are."""


@dataclass(frozen=True)
class FeatureSummary:
    """What was extracted.

    Attributes:
        backbone: the network.
        cut: blocks that were computed.
        num_blocks: it has.
        size: of its inputs, as their modality counts it.
        num_features: length of a vector.
        rows: of each split, by its lower-case name.
        stored: rows whose features were in the store.
        computed: rows whose features were computed.
        left_out: samples that cannot be read.
        seconds: all in all.
        note: why nothing was kept in the store; empty if it was.
    """

    backbone: str
    cut: int
    num_blocks: int
    size: int
    num_features: int
    rows: Mapping[str, int]
    stored: int
    computed: int
    left_out: int
    seconds: float
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {split}" for split, count in self.rows.items())
        blocks = f"all {self.num_blocks} blocks" if self.cut == self.num_blocks else f"{self.cut} of its blocks"
        told = f"{self.num_features} features of {counts} samples, by {self.backbone} ({blocks}, size {self.size})"
        source = f"{self.computed:,} rows computed, {self.stored:,} from the store, {self.seconds:.1f} s"
        unread = f"; {self.left_out} samples cannot be read" if self.left_out else ""
        return f"{told}; {source}{unread}" + (f"; not kept: {self.note}" if self.note else "")


def write_features(request: FeatureRequest, home: Home, path: Path, on_progress: OnProgress) -> FeatureSummary:
    """Write the features of a request to a Parquet file, streamed.

    Raises:
        DataError: the data cannot be used.
        ResourceError: the disk is full; nothing is left behind.
    """
    work = _Work(request, home, on_progress)
    write_table(path, work.batches())
    return work.summary()


def table_of_features(request: FeatureRequest, home: Home, on_progress: OnProgress) -> pa.Table:
    """The features of a request as a table in memory, with the same columns as the file."""
    return pa.Table.from_batches(list(_Work(request, home, on_progress).batches()))


class _Work:
    """One extraction, and what is known of it in the end."""

    def __init__(self, request: FeatureRequest, home: Home, on_progress: OnProgress) -> None:
        self._request, self._home, self._on_progress = request, home, on_progress
        self._began, self._counted, self._num_features = time.monotonic(), Counted(), 0
        self._dataset: Dataset = dataset_of(request, home, self._telling("samples"))

    def batches(self) -> Iterator[pa.RecordBatch]:
        request, dataset = self._request, self._dataset
        found = feature_rows(request, dataset, self._home, self._telling("features"), self._counted)
        facts = {
            "backbone": request.strategy.backbone,
            "cut": str(request.cut),
            "size": str(request.size),
            "dataset": dataset.fingerprint,
        }
        for batch in batches_of(found, dataset, build_task(request.job.decided_task), facts):
            self._num_features = batch.schema.field(FEATURES).type.list_size
            yield batch

    def summary(self) -> FeatureSummary:
        request, dataset = self._request, self._dataset
        return FeatureSummary(
            backbone=request.strategy.backbone,
            cut=request.cut,
            num_blocks=request.num_blocks,
            size=request.size,
            num_features=self._num_features,
            rows={split.name.lower(): len(dataset.rows(split)) for split in request.splits},
            stored=self._counted.stored,
            computed=self._counted.computed,
            left_out=len(dataset.quarantine),
            seconds=time.monotonic() - self._began,
            note=self._counted.unstored,
        )

    def _telling(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self._on_progress(what, done, total)
