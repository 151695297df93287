"""What is the same for every strategy of an experiment: the data, the task, and how long a training is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from graft.core.seeds import derive_seed
from graft.data.batch import Batch
from graft.data.columns import Column, StorageSpec
from graft.data.dataset import Dataset, DatasetArrays
from graft.data.streaming.samples import StreamedColumn
from graft.modalities.protocol import Modality
from graft.modalities.registry import build_modality
from graft.models.weights.source_head import source_head
from graft.spec.job import Job
from graft.spec.metrics import MetricSpec
from graft.spec.modalities.base import DataSpec
from graft.spec.strategy import Strategy
from graft.spec.tasks.base import TaskSpec
from graft.tasks.protocol import Task
from graft.tasks.registry import build_task
from graft.training.world import ALONE, World
from graft.transfer.penalties.activations import Examples
from graft.workers.sample_stream import sample_stream

if TYPE_CHECKING:
    from graft.learner.cached_features import FeatureCache
    from graft.learner.cross_validation.folds import Fold

PENALTY_ROWS = 4000
"""A penalty learns from so many samples at most."""
_EXAMPLES = 128


@dataclass(frozen=True)
class TrainingData:
    """What is the same for every strategy of an experiment. Picklable: modality and task are built where they are used.

    Attributes:
        arrays: the dataset; a process that gets this maps its files.
        storage: how its samples are kept.
        data: the job's data section; augmentations look at it.
        task_spec: what is asked of the samples.
        metric: chooses the best epoch.
        epochs: most passes over the training rows.
        patience: epochs without improvement that end a training; None never does.
        seed: root of all randomness.
        num_threads: torch threads of the process.
        accumulate: gradient accumulation steps of a batch.
        sync_batch_norm: whether batch norm is over the batch of all processes.
        compile: whether networks are compiled before they are trained.
        feature_cache: where features of frozen blocks are; None computes them anew in every epoch.
        folds: that trials are scored on; none where they are scored on the validation rows.
    """

    arrays: DatasetArrays
    storage: StorageSpec
    data: DataSpec
    task_spec: TaskSpec
    metric: MetricSpec
    epochs: int
    patience: int | None
    seed: int
    num_threads: int
    accumulate: int = 1
    sync_batch_norm: bool = False
    compile: bool = False
    feature_cache: "FeatureCache | None" = None
    folds: "tuple[Fold, ...]" = ()
    edits_structure: bool = False

    @property
    def modality(self) -> Modality:
        """What a sample is."""
        return build_modality(self.storage.modality)

    @property
    def task(self) -> Task:
        """What is asked of it."""
        return build_task(self.task_spec)


def columns_of(data: TrainingData, world: World = ALONE) -> Mapping[str, Column]:
    """The samples, for processes that go through all of them: those that are streamed are decoded ahead by the cluster.

    Args:
        data: what is trained on.
        world: the processes that read them together; each calls this.
    """
    columns = data.arrays.columns
    if not any(isinstance(column, StreamedColumn) for column in columns.values()):
        return columns
    stream = sample_stream(world.rank, world.size, world.broadcast)
    return {
        name: column.read_by(stream) if stream and isinstance(column, StreamedColumn) else column
        for name, column in columns.items()
    }


def training_data_of(
    job: Job,
    dataset: Dataset,
    num_threads: int,
    feature_cache: "FeatureCache | None" = None,
) -> TrainingData:
    """What every strategy of a job is trained on.

    Args:
        job: the job.
        dataset: its data.
        num_threads: torch threads.
        feature_cache: where features of frozen blocks are.
    """
    return TrainingData(
        arrays=dataset.arrays(),
        storage=dataset.storage,
        data=job.data,
        task_spec=job.decided_task,
        metric=job.objective,
        epochs=job.epochs,
        patience=job.training.patience,
        seed=job.search.seed,
        num_threads=num_threads,
        compile=job.training.compile,
        feature_cache=feature_cache,
        edits_structure="structure" in dict(job.reach.root.fields),
    )


def examples_of(
    data: TrainingData, strategy: Strategy, rows: np.ndarray, plain: Callable[[np.ndarray], Batch]
) -> Examples:
    """Training samples for a penalty that learns from some before the first step: `PENALTY_ROWS`, drawn at random.

    Args:
        data: what is trained on.
        strategy: names the backbone.
        rows: that are trained on.
        plain: gives samples as the network takes them, not augmented.
    """
    some = np.random.default_rng(derive_seed(data.seed, "penalty")).permutation(rows)[:PENALTY_ROWS]

    def batches() -> Iterator[tuple[Batch, np.ndarray]]:
        for start in range(0, len(some), _EXAMPLES):
            asked = some[start : start + _EXAMPLES]
            yield plain(asked), data.arrays.targets[asked]

    return Examples(batches, partial(source_head, strategy.backbone))
