"""One strategy trained on one dataset: what a trial and the final fit have in common. Plain torch."""

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from graft.core.seeds import derive_seed
from graft.data.augment import Augmenter
from graft.data.batches import Batches, Shard
from graft.data.dataset import Dataset, DatasetArrays, Split
from graft.data.feature_store.disk_errors import NotStored
from graft.data.inputs import Images, Inputs, Views
from graft.data.square import StoredForm
from graft.evaluation.metrics import METRIC_NAMES, score
from graft.learner.cached_features import (
    CachedFeatures,
    Extraction,
    FeatureCache,
    Source,
    extraction,
    load_or_compute,
    views_of,
)
from graft.learner.prefix import prefix_of
from graft.models.info import BackboneInfo
from graft.models.load import LoadedBackbone, load_backbone, weights_version
from graft.models.network import Network, build_head
from graft.models.small_maps import suit_small_maps
from graft.spec.data import Flip
from graft.spec.job import Job
from graft.spec.metrics import MetricSpec
from graft.spec.preprocessing import Preprocessing
from graft.spec.strategy import Strategy
from graft.training.loop import OnEpoch, Session, TrainEpoch, TrainingOutcome, TrainingPlan, prepare, train
from graft.training.predict import predict_in_parts
from graft.training.world import ALONE, World
from graft.transfer.adapt import adapt

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class TrainingData:
    """What is the same for every strategy of an experiment.

    Attributes:
        arrays: the dataset.
        stored: how its images are kept.
        flip: which mirror images keep the label.
        metric: chooses the best epoch.
        epochs: most passes over the training rows.
        patience: epochs without improvement that end a training; None never does.
        seed: root of all randomness.
        num_threads: torch threads of the process.
        accumulate: parts that a process computes its part of a batch in.
        sync_batch_norm: whether batch norm is over the batch of all processes.
        compile: whether networks are compiled before they are trained.
        feature_cache: where features of frozen blocks are; None computes them anew in every epoch.
    """

    arrays: DatasetArrays
    stored: StoredForm
    flip: Flip
    metric: MetricSpec
    epochs: int
    patience: int | None
    seed: int
    num_threads: int
    accumulate: int = 1
    sync_batch_norm: bool = False
    compile: bool = False
    feature_cache: FeatureCache | None = None


def training_data_of(
    job: Job, dataset: Dataset, num_threads: int, in_memory: bool = False, feature_cache: FeatureCache | None = None
) -> TrainingData:
    """What every strategy of a job is taught with.

    Args:
        job: the job.
        dataset: its data.
        num_threads: torch threads.
        in_memory: whether all images are read now, to be shared by many; else each process reads what it needs.
        feature_cache: where features of frozen blocks are.
    """
    return TrainingData(
        arrays=dataset.arrays() if in_memory else dataset.mapped(),
        stored=dataset.stored,
        flip=job.data.flip,
        metric=job.search.objective,
        epochs=job.training.epochs,
        patience=job.training.patience,
        seed=job.search.seed,
        num_threads=num_threads,
        compile=job.training.compile,
        feature_cache=feature_cache,
    )


@dataclass(frozen=True)
class Learner:
    """A strategy ready to be trained on some splits of a training_data.

    Attributes:
        session: the training.
        rows: trained on.
        images: what the whole network takes.
        cached: what the frozen blocks make of them, if it is there.
        augmenter: changes the images.
        training_data: what is taught.
        note: why there are no stored features although there should be; empty otherwise.
    """

    session: Session
    rows: np.ndarray
    images: Images
    augmenter: Augmenter | Views
    training_data: TrainingData
    cached: CachedFeatures | None = None
    note: str = ""

    @property
    def takes_features(self) -> bool:
        """Whether training goes on from stored features: weights that were trained below the cut would change them."""
        return self.cached is not None and self.session.model.is_pretrained_below

    @property
    def cache_metrics(self) -> Mapping[str, float]:
        """What it took to have the features; empty without."""
        return self.cached.metrics if self.cached and self.takes_features else {}

    def train(
        self,
        on_epoch: OnEpoch | None,
        validate: bool,
        train_one: TrainEpoch | None = None,
    ) -> TrainingOutcome:
        """Train (`training.loop.train`) to the end; with `validate`, every epoch is scored on the validation rows."""
        evaluate = self.validation_metrics if validate else None
        return train(self.session, self.batches(), evaluate, on_epoch, self.augmenter, train_one)

    def batches(self) -> Batches:
        """Of the rows that are trained on, as the model takes them now."""
        return self._batches(self.rows, self.session.plan.strategy.batch_size)

    def validation_metrics(self, model: nn.Module) -> dict[str, float]:
        """All metrics on the validation rows, on rank 0; the other ranks predict their part, and get nothing."""
        session = self.session
        batches = self._batches(self.training_data.arrays.rows(Split.VALIDATION), EVALUATION_BATCH)
        predicted = predict_in_parts(model, batches, session.plan.strategy.precision, session.world)
        return score(*predicted, METRIC_NAMES) if predicted else {}

    def _batches(self, rows: np.ndarray, batch_size: int) -> Batches:
        """Batches for the model as it stands; a state that was loaded decides what it takes."""
        world, takes_features = self.session.world, self.takes_features
        self.session.model.takes_features = takes_features
        inputs: Inputs = self.cached.inputs if self.cached and takes_features else self.images
        return Batches(inputs, self.training_data.arrays.labels, rows, batch_size, Shard(world.rank, world.size))


def build_learner(
    training_data: TrainingData, strategy: Strategy, splits: tuple[Split, ...], world: World = ALONE
) -> Learner:
    """Load the backbone, adapt it, and make everything ready to train on the rows of `splits`.

    Args:
        training_data: what the strategy is to learn.
        strategy: how.
        splits: the rows to train on.
        world: the processes that train together; each calls this.

    Raises:
        SpecError: the strategy cannot be built.
        ArtifactError: the pretrained weights are missing or do not fit.
    """
    network, preprocessing = build_network(training_data, strategy)
    device = choose_device()
    rows = training_data.arrays.rows(*splits)
    images = Images(training_data.arrays.images, preprocessing, torch.device(device))
    steps = len(Batches(images, training_data.arrays.labels, rows, strategy.batch_size, Shard(world.rank, world.size)))
    plan = TrainingPlan(
        strategy=strategy,
        epochs=training_data.epochs,
        seed=training_data.seed,
        metric=training_data.metric.name,
        mode=training_data.metric.mode,
        patience=training_data.patience,
        device=device,
        num_threads=training_data.num_threads,
        accumulate=training_data.accumulate,
        sync_batch_norm=training_data.sync_batch_norm,
        compile=training_data.compile,
        class_counts=np.bincount(
            training_data.arrays.labels[rows], minlength=len(training_data.arrays.classes)
        ).tolist(),
    )
    session = prepare(adapt(network, strategy, training_data.seed), plan, steps_per_epoch=steps, world=world)
    learner = Learner(session, rows, images, views_of(strategy, training_data.flip, training_data.seed), training_data)
    try:
        return replace(learner, cached=_cached(training_data, strategy, images, splits))
    except NotStored as error:
        note = f"frozen blocks are computed anew in every epoch, because their features cannot be kept: {error}"
        return replace(learner, note=note)


def build_network(training_data: TrainingData, strategy: Strategy) -> tuple[Network, Preprocessing]:
    """The pretrained backbone with a new head, and what images must go through before it."""
    loaded = _pretrained(strategy.backbone, strategy.resolution)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(training_data.seed, "head"))
        head = build_head(strategy.head, loaded.backbone.num_features, len(training_data.arrays.classes))
    return Network(copy.deepcopy(loaded.backbone), head), preprocessing_for(strategy, training_data.stored, loaded.info)


def _cached(
    training_data: TrainingData, strategy: Strategy, images: Images, splits: tuple[Split, ...]
) -> CachedFeatures | None:
    """Features of the strategy's frozen blocks, or None, if there is nothing to keep; see `load_or_compute`."""
    backbone = _pretrained(strategy.backbone, strategy.resolution).backbone
    prefix = prefix_of(strategy, len(backbone.blocks))
    if training_data.feature_cache is None or prefix is None or prefix not in training_data.feature_cache.wanted:
        return None
    source = source_of(training_data, strategy, images.preprocessing)
    return load_or_compute(training_data.feature_cache, prefix, backbone, strategy, source, splits)


def extraction_for(training_data: TrainingData, strategy: Strategy, split: Split) -> Extraction:
    """How the features of a strategy's frozen blocks are computed for the plain images of a split.

    Raises:
        ValueError: it has no frozen blocks, or the training_data no feature_cache.
    """
    loaded = _pretrained(strategy.backbone, strategy.resolution)
    prefix = prefix_of(strategy, len(loaded.backbone.blocks))
    if training_data.feature_cache is None or prefix is None:
        raise ValueError(f"{strategy.label()} has no frozen blocks, or there is no feature_cache, but both are needed")
    source = source_of(training_data, strategy, preprocessing_for(strategy, training_data.stored, loaded.info))
    return extraction(training_data.feature_cache, prefix, loaded.backbone, strategy, source, split)


def source_of(training_data: TrainingData, strategy: Strategy, preprocessing: Preprocessing) -> Source:
    """What features are computed from."""
    device = torch.device(choose_device())
    return Source(
        training_data.arrays, preprocessing, training_data.flip, training_data.seed, strategy.precision, device
    )


def _pretrained(name: str, resolution: int) -> LoadedBackbone:
    """The backbone as it was pretrained, kept because an actor trains many trials: a copy is cheaper than a load."""
    return _loaded(name, resolution, weights_version(name))


@functools.lru_cache(maxsize=4)
def _loaded(name: str, resolution: int, version: str) -> LoadedBackbone:
    """The weights of this version; it is there to be part of what is remembered."""
    loaded = load_backbone(name, resolution)
    if choose_device() == "cpu":
        suit_small_maps(loaded.backbone)
    return loaded


def preprocessing_for(strategy: Strategy, stored: StoredForm, info: BackboneInfo) -> Preprocessing:
    """From the stored form to what the backbone was trained on."""
    return Preprocessing(
        stored_size=stored.stored_size,
        resolution=strategy.resolution,
        channels=stored.channels,
        interpolation=stored.interpolation,
        mean=info.mean,
        std=info.std,
    )


def choose_device() -> str:
    """``cuda`` where Ray has given this process a GPU (it hides the others), else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"
