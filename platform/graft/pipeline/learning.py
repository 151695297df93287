"""One strategy trained on one dataset: what a trial and the final fit have in common. Plain torch."""

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from graft.core.seeds import derive_seed
from graft.data.augment import Augmenter
from graft.data.batches import Batches, Shard
from graft.data.dataset import DatasetArrays, Split
from graft.data.square import StoredForm
from graft.evaluation.metrics import METRIC_NAMES, score
from graft.models.classifier import Classifier
from graft.models.heads import build_head
from graft.models.info import BackboneInfo
from graft.models.load import LoadedBackbone, load_backbone
from graft.spec.data import Flip
from graft.spec.metrics import MetricSpec
from graft.spec.preprocessing import Preprocessing
from graft.spec.strategy import Strategy
from graft.training.evaluate import predict_in_parts
from graft.training.loop import OnEpoch, OnStep, Session, TrainingOutcome, TrainingPlan, prepare, train
from graft.training.world import ALONE, World
from graft.transfer.adapt import adapt

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class Lesson:
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


@dataclass(frozen=True)
class Learner:
    """A strategy ready to be trained on some splits of a lesson."""

    session: Session
    batches: Batches
    augmenter: Augmenter
    lesson: Lesson
    preprocessing: Preprocessing

    def train(
        self,
        on_epoch: OnEpoch | None,
        validate: bool,
        on_step: OnStep | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> TrainingOutcome:
        """Train (`training.loop.train`) to the end; with `validate`, every epoch is scored on the validation rows."""
        evaluate = self.validation_metrics if validate else None
        return train(
            self.session, self.batches, evaluate, on_epoch, self.augmenter, on_step=on_step, should_stop=should_stop
        )

    def validation_metrics(self, model: nn.Module) -> dict[str, float]:
        """All metrics on the validation rows, on rank 0; the other ranks predict their part, and get nothing."""
        session = self.session
        rows = self.lesson.arrays.rows(Split.VALIDATION)
        shard = Shard(session.world.rank, session.world.size)
        batches = Batches(self.lesson.arrays, rows, self.preprocessing, EVALUATION_BATCH, session.device, shard)
        predicted = predict_in_parts(model, batches, session.plan.strategy.precision, session.world)
        return score(*predicted, METRIC_NAMES) if predicted else {}


def build_learner(lesson: Lesson, strategy: Strategy, splits: tuple[Split, ...], world: World = ALONE) -> Learner:
    """Load the backbone, adapt it, and make everything ready to train on the rows of `splits`.

    Args:
        lesson: what the strategy is to learn.
        strategy: how.
        splits: the rows to train on.
        world: the processes that train together; each calls this.

    Raises:
        SpecError: the strategy cannot be built.
        ArtifactError: the pretrained weights are missing or do not fit.
    """
    classifier, preprocessing = build_classifier(lesson, strategy)
    device = choose_device()
    rows = lesson.arrays.rows(*splits)
    shard = Shard(world.rank, world.size)
    batches = Batches(lesson.arrays, rows, preprocessing, strategy.batch_size, device, shard)
    plan = TrainingPlan(
        strategy=strategy,
        epochs=lesson.epochs,
        seed=lesson.seed,
        metric=lesson.metric.name,
        mode=lesson.metric.mode,
        patience=lesson.patience,
        device=device,
        num_threads=lesson.num_threads,
        accumulate=lesson.accumulate,
        sync_batch_norm=lesson.sync_batch_norm,
        class_counts=np.bincount(lesson.arrays.labels[rows], minlength=len(lesson.arrays.classes)).tolist(),
    )
    session = prepare(adapt(classifier, strategy, lesson.seed), plan, steps_per_epoch=len(batches), world=world)
    return Learner(session, batches, Augmenter(strategy.augment, lesson.flip), lesson, preprocessing)


def build_classifier(lesson: Lesson, strategy: Strategy) -> tuple[Classifier, Preprocessing]:
    """The pretrained backbone with a new head, and what images must go through before it."""
    loaded = _pretrained(strategy.backbone, strategy.resolution)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(lesson.seed, "head"))
        head = build_head(strategy.head, loaded.backbone.num_features, len(lesson.arrays.classes))
    return Classifier(copy.deepcopy(loaded.backbone), head), preprocessing_for(strategy, lesson.stored, loaded.info)


@functools.lru_cache(maxsize=4)
def _pretrained(name: str, resolution: int) -> LoadedBackbone:
    """The backbone as it was pretrained, kept because an actor trains many trials: a copy is cheaper than a load."""
    return load_backbone(name, resolution)


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
