"""Supervised learning: one strategy trained on one dataset; what a trial and the final fit have in common."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from graft.core.errors import Problem, SpecError
from graft.core.heartbeat import Watch, unwatched
from graft.data.augmentation.mixing import Mixing
from graft.data.batch import Batch
from graft.data.batches import Batches, Shard, TrainingBatch
from graft.data.dataset import Split
from graft.data.inputs import Augmenter, Inputs, Views
from graft.learner.cached_features import Extraction, Source, extraction, views_of
from graft.learner.closed_form.head_solver import HeadSolver, note_of, require_frozen
from graft.learner.closed_form.head_start import Beginning, begin_head
from graft.learner.cross_validation.folds import FoldModel, FoldScores, copies_of, of_fold
from graft.learner.mapped.head_rows import start_head
from graft.learner.phases.head_phase import head_epochs, starts_solved
from graft.learner.phases.inputs import PhaseInputs
from graft.learner.phases.stored import stored_inputs
from graft.learner.prefix import prefix_of
from graft.learner.pretrained import build_network, choose_device, edit_facts, edited_backbone, preprocessing_for
from graft.learner.training_data import TrainingData, columns_of, examples_of
from graft.models.feature_scaling import FeatureScaling
from graft.models.network import Network
from graft.spec.modalities.base import Preprocessing
from graft.spec.registry import build
from graft.spec.strategy import Strategy
from graft.training.checkpoint import TrainingState
from graft.training.loop import (
    Ending,
    OnEpoch,
    Session,
    TrainEpoch,
    TrainingOutcome,
    TrainingPlan,
    prepare,
    train,
    train_epoch,
)
from graft.training.precision import autocast
from graft.training.predict import predict_in_parts
from graft.training.world import ALONE, World
from graft.transfer.adapt import Adapted, adapt
from graft.transfer.feature_scaling import Training, fit_scaling

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class SupervisedLearner:
    """A strategy ready to be trained on some splits of the data.

    Attributes:
        session: the training.
        rows: trained on.
        given: what the network takes: samples, or stored features of blocks that rest.
        augmenter: changes the samples.
        data: what is trained on.
        note: why there are no stored features although there should be; empty otherwise.
        watch: what batches go through that are trained on or validated.
        folds: score it instead of the validation rows.
        solver: solves its head in place of training an epoch; None if the head is trained.
    """

    session: Session
    rows: np.ndarray
    given: PhaseInputs
    augmenter: Augmenter | Views | None
    data: TrainingData
    note: str = ""
    watch: Watch = unwatched
    folds: FoldScores | None = None
    solver: HeadSolver | None = None

    @property
    def takes_features(self) -> bool:
        """Whether training goes on from stored features: weights that were trained below the cut would change them."""
        return self.given.frozen is not None and self.session.model.is_pretrained_below

    @property
    def epochs_done(self) -> int:
        """Whole epochs behind it."""
        return self.session.epochs_done

    @property
    def best_epoch(self) -> int | None:
        """The best of them."""
        return self.session.best_epoch

    @property
    def current_lr(self) -> float:
        """Learning rate of the backbone at the next step."""
        return self.session.current_lr

    @property
    def device(self) -> str:
        """Where it is trained."""
        return self.session.plan.device

    @property
    def facts(self) -> Mapping[str, float]:
        """Trainable parameters and their share, what the structure makes of the backbone's cost, what it took to have
        the stored features, and what a solver has chosen."""
        cache = self.given.facts(self.session.model)
        told = {**edit_facts(self.data, self.session.plan.strategy), **cache}
        chosen, adapted = self.solver.chosen if self.solver else {}, self.session.adapted
        trained = {"model/trainable_params": float(adapted.trainable_params)}
        return {**trained, "model/trainable_share": adapted.trainable_share, **told, **chosen}

    def load(self, state: TrainingState) -> None:
        """Go on from a state (`Session.load`)."""
        self.session.load(state)

    def adopt_best(self, state: TrainingState | None) -> None:
        """Take a state's best epoch as the one to beat."""
        self.session.adopt_best(state)

    def state(self, with_best: bool = True) -> TrainingState:
        """Everything that changes."""
        return self.session.state(with_best)

    def best(self) -> TrainingState:
        """The best epoch alone."""
        return self.session.best()

    def plan_epochs(self, epochs: int) -> int:
        """Train so many in all; it cannot change in the middle of one on stored features of blocks that wait."""
        session, folds = self.session, self.folds.models if self.folds else ()
        if session.partial.steps and self.given.ends_with_phase:
            return session.plan.epochs
        self.given.shorten(head_epochs(session.plan.strategy, epochs, session.steps_per_epoch))
        for one in (session, *(fold.session for fold in folds)):
            one.plan = replace(one.plan, epochs=epochs)
        return epochs

    def validation(self) -> Mapping[str, float]:
        """The validation metrics of the model as it stands, on every rank."""
        with self.session.as_judged():
            return self.session.world.broadcast(dict(self._scored(self.session.model, self.epochs_done)))

    def train(
        self,
        on_epoch: OnEpoch | None,
        validate: bool,
        train_one: TrainEpoch | None = None,
    ) -> TrainingOutcome:
        """Train (`training.loop.train`) to the end; with `validate`, every epoch is scored on the validation rows."""

        def evaluate(model: nn.Module) -> dict[str, float]:
            return self._scored(model, self.epochs_done + 1)

        whole_epoch = self.solver or train_one or train_epoch

        def watched(session: Session, batches: Iterable[TrainingBatch]) -> Ending | None:
            return whole_epoch(session, batches if self.solver else self.watch(batches))

        return train(self.session, _Epochs(self), evaluate if validate else None, on_epoch, self.augmenter, watched)

    def fit_scaling(self) -> None:
        """Fit what standardises and selects features, if there is any, to the rows that are trained on.

        Every rank does so, and gets the same.

        Raises:
            SpecError: no feature is left.
        """
        self._fit_scaling(self.session.model.network, self.rows)
        if self.folds is not None:
            for one in self.folds.models:
                self._fit_scaling(one.session.model.network, one.fold.training)

    def _fit_scaling(self, network: Network, rows: np.ndarray) -> None:
        if isinstance(network.scaling, FeatureScaling):
            training = Training(self._features_of, rows, self.data.arrays.targets, self.data.seed)
            fit_scaling(network.scaling, self.session.plan.strategy, training)

    def fit_penalty(self) -> None:
        """Let the penalty learn from the rows that are trained on what it has to, before the first step.

        Every rank does so, and learns the same.

        Raises:
            ArtifactError: it needs the backbone's own head, which does not come with it.
        """
        self._fit_penalty(self.session, self.rows)
        if self.folds is not None:
            for one in self.folds.models:
                self._fit_penalty(one.session, one.fold.training)

    def _fit_penalty(self, session: Session, rows: np.ndarray) -> None:
        if session.adapted.activation_penalty is not None:
            views = self.augmenter if isinstance(self.augmenter, Views) else None
            plain = partial(_plain, self.given.below, views)
            examples = examples_of(self.data, session.plan.strategy, rows, plain)
            session.adapted.activation_penalty.fit(examples)

    def _features_of(self, rows: np.ndarray) -> np.ndarray:
        """Pooled features of rows: of their first view where there are stored ones, else of the samples as they are."""
        views = self.augmenter if isinstance(self.augmenter, Views) else None
        found, precision = [], self.session.plan.strategy.precision
        for start in self.watch(range(0, len(rows), EVALUATION_BATCH)):
            some = rows[start : start + EVALUATION_BATCH]
            batch = _plain(self.given.at_start, views, some)
            with torch.inference_mode(), autocast(precision, batch.device):
                features = self.session.model.features(batch)
            found.append(features.float().cpu().numpy())
        return np.concatenate(found)

    def batches(self, epoch: int = 1) -> Batches:
        """Of the rows that are trained on in an epoch, from 1: of features where the model can go on from them."""
        inputs = self.given.trained(self.session.model, epoch)
        batches = self._batches(inputs, self.rows, self.session.plan.strategy.batch_size)
        return batches.weighted(self.data.arrays.weights).mixed(mixing_of(self.data, self.session.plan.strategy))

    def _scored(self, model: nn.Module, epoch: int) -> dict[str, float]:
        """What the model is judged by after an epoch."""
        return self.folds.after(epoch) if self.folds is not None else self.validation_metrics(model)

    def validation_metrics(self, model: nn.Module) -> dict[str, float]:
        """The metrics on the validation rows, on rank 0; the other ranks predict their part, and get nothing."""
        session, task, arrays = self.session, self.data.task, self.data.arrays
        rows = arrays.rows(Split.VALIDATION)
        batches = _Watched(self._batches(self.given.judged(session.model), rows, EVALUATION_BATCH), self.watch)
        outputs = predict_in_parts(model, batches, session.plan.strategy.precision, session.world)
        if outputs is None:
            return {}
        names = tuple(dict.fromkeys((*task.trial_metrics, self.data.metric.name)))
        return task.score(task.decide(outputs, arrays.facts), arrays.targets[rows], names, arrays.facts)

    def _batches(self, inputs: Inputs, rows: np.ndarray, batch_size: int) -> Batches:
        world = self.session.world
        return Batches(inputs, self.data.arrays.targets, rows, batch_size, Shard(world.rank, world.size))


@dataclass(frozen=True)
class _Epochs:
    """The batches that a learner is trained on, each epoch's of what the model is given in it."""

    learner: SupervisedLearner

    def epoch(self, seed: int, epoch: int, augmenter: Any, first: int) -> Iterable[TrainingBatch]:
        return self.learner.batches(epoch).epoch(seed, epoch, augmenter, first)


@dataclass(frozen=True)
class _Watched:
    """Batches for evaluation that are seen to be worked on."""

    batches: Batches
    watch: Watch

    def for_evaluation(self) -> Iterable[tuple[np.ndarray, Batch]]:
        return self.watch(self.batches.for_evaluation())


@dataclass(frozen=True)
class SupervisedFactory:
    """Makes supervised learners for the trials of a search.

    Attributes:
        data: what they are trained on.
        splits: the rows they are trained on.
    """

    data: TrainingData
    splits: tuple[Split, ...] = (Split.TRAIN,)

    def __call__(self, strategy: Strategy, world: World, watch: Watch = unwatched) -> SupervisedLearner:
        """The learner of a strategy at its start."""
        return build_learner(self.data, strategy, self.splits, world, watch)


def build_learner(
    data: TrainingData,
    strategy: Strategy,
    splits: tuple[Split, ...],
    world: World = ALONE,
    watch: Watch = unwatched,
) -> SupervisedLearner:
    """Load the backbone, adapt it, and make everything ready to train on the rows of `splits`.

    Args:
        data: what is trained on.
        strategy: how.
        splits: the rows to train on.
        world: the processes that train together; each calls this.
        watch: what batches go through, here and in training, so that a process that hangs is noticed.

    Raises:
        SpecError: the strategy cannot be built.
        ArtifactError: the pretrained weights are missing or do not fit.
    """
    network, preprocessing = build_network(data, strategy)
    prefix = prefix_of(strategy) if data.folds else None
    copies = list(copies_of(network, len(data.folds), prefix.cut if prefix else 0))
    device = torch.device(choose_device())
    rows = data.arrays.rows(*splits)
    inputs = data.modality.inputs(columns_of(data, world), preprocessing, device)
    batches = Batches(inputs, data.arrays.targets, rows, strategy.batch_size, Shard(world.rank, world.size))
    adapted = adapt(network, strategy, data.seed)
    start_head(network, data, strategy)
    require_frozen(strategy, adapted.cut, adapted.num_blocks)
    data.modality.place(adapted.model, device)
    session = _session(data, strategy, adapted, rows, len(batches), world)
    note = note_of(strategy, rows, network.backbone.num_features)
    augmenter = views_of(data, strategy, preprocessing)
    learner = SupervisedLearner(session, rows, PhaseInputs(inputs), augmenter, data, note, watch)
    source = source_of(data, strategy, preprocessing)
    given, lack = stored_inputs(learner.given, source, splits, len(batches), watch)
    learner = replace(learner, given=given, note=lack or note)
    if copies:
        learner = replace(learner, folds=_fold_scores(learner, copies))
    learner.fit_scaling()
    learner.fit_penalty()
    if starts_solved(strategy):
        begin_head(Beginning(session, data, rows, learner._features_of))
        for one in learner.folds.models if learner.folds else ():
            begin_head(Beginning(one.session, one.data, one.fold.training, learner._features_of))
    if strategy.head.is_solved:
        learner = replace(learner, solver=HeadSolver(data, rows, learner._features_of, watch))
    return learner


def _plain(inputs: Inputs, views: Views | None, rows: np.ndarray) -> Batch:
    """Rows not augmented; of stored views, the first."""
    return inputs.view(rows, views, 0) if views else inputs.plain(rows)


def mixing_of(data: TrainingData, strategy: Strategy) -> Mixing | None:
    """How a strategy mixes samples with one another; None if it does not."""
    if not strategy.mix.is_active:
        return None
    return Mixing(build(strategy.mix), partial(data.task.soften, facts=data.arrays.facts))


def _fold_scores(learner: SupervisedLearner, networks: Sequence[Network]) -> FoldScores:
    """Models of all folds, which take what the learner's own model takes at its start."""
    data, strategy = learner.data, learner.session.plan.strategy
    models = []
    for fold, network in zip(data.folds, networks, strict=True):
        own, adapted = of_fold(data, fold), adapt(network, strategy, data.seed)
        start_head(network, data, strategy)
        data.modality.place(adapted.model, learner.session.device)
        steps = len(Batches(learner.given.samples, data.arrays.targets, fold.training, strategy.batch_size))
        session = _session(own, strategy, adapted, fold.training, steps, ALONE)
        solver = HeadSolver(own, fold.training, learner._features_of, learner.watch)
        train_one = solver if strategy.head.is_solved else train_epoch
        models.append(FoldModel(session, fold, own, mixing_of(own, strategy), train_one))
    return FoldScores(models, learner.given, learner.augmenter, learner.watch)


def extraction_for(data: TrainingData, strategy: Strategy, split: Split) -> Extraction:
    """How the features of a strategy's frozen blocks are computed for the plain samples of a split.

    Raises:
        ValueError: it has no frozen blocks, or there is no feature cache.
    """
    prefix = prefix_of(strategy)
    if data.feature_cache is None or prefix is None:
        raise ValueError(f"{strategy.label()} has no frozen blocks, or there is no feature cache, but both are needed")
    backbone = edited_backbone(strategy, data)
    source = source_of(data, strategy, preprocessing_for(data, strategy))
    return extraction(data.feature_cache, prefix, backbone, source, split)


def source_of(data: TrainingData, strategy: Strategy, preprocessing: Preprocessing) -> Source:
    """What features are computed from."""
    return Source(data, strategy, preprocessing, torch.device(choose_device()))


def _session(
    data: TrainingData, strategy: Strategy, adapted: Adapted, rows: np.ndarray, steps: int, world: World
) -> Session:
    plan = TrainingPlan(
        strategy=strategy,
        epochs=1 if strategy.head.is_solved else data.epochs,
        seed=data.seed,
        metric=data.metric.name,
        mode=data.metric.mode,
        patience=data.patience,
        device=choose_device(),
        num_threads=data.num_threads,
        accumulate=data.accumulate,
        sync_batch_norm=data.sync_batch_norm,
        compile=data.compile and not strategy.head.is_solved,
    )
    arrays = data.arrays
    loss = data.task.loss(strategy.loss, arrays.targets[rows], arrays.facts, torch.device(plan.device))
    if arrays.weights is not None and len(inspect.signature(loss).parameters) < 3:
        told = f"is {strategy.loss.kind}, which takes no weights, but data.weight is given; take another loss"
        raise SpecError([Problem("strategy.loss", told)])
    return prepare(adapted, plan, steps, loss, world=world)
