"""A strategy scored by cross-validation: one more model for each fold, trained epoch by epoch with the trial's own.

The trial's model stays what it is without folds: it learns from the training rows, and its weights are kept. Only its
score is another: the mean over models that each have not seen the rows they are scored on. So all training and
validation rows count, and the score says how sure it is. Where blocks are frozen, all models go on from the same stored
features, and what a fold costs is the training of a head.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from graft.core.heartbeat import Watch
from graft.data.augmentation.mixing import Mixing
from graft.data.batches import Batches
from graft.data.dataset import Split
from graft.data.inputs import Augmenter, Views
from graft.data.splits.folds import fold_codes
from graft.data.targets import Targets
from graft.learner.phases.inputs import PhaseInputs
from graft.learner.training_data import TrainingData
from graft.models.network import Network
from graft.spec.search.evaluation import EvaluationSpec
from graft.tasks.intervals import resampled
from graft.training.loop import Session, TrainEpoch, train_epoch
from graft.training.predict import predict_outputs

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class Fold:
    """What a fold trains on, and what it is scored on: int64 rows of the dataset."""

    training: np.ndarray
    held_out: np.ndarray


def folds_of(spec: EvaluationSpec | None, data: TrainingData) -> tuple[Fold, ...]:
    """The folds of a search, over training and validation rows; none where trials are scored on the validation rows.

    Raises:
        DataError: there are fewer samples, or groups, than folds.
    """
    if spec is None or spec.folds is None:
        return ()
    rows = data.arrays.rows(Split.TRAIN, Split.VALIDATION)
    targets, kin = Targets(data.arrays.targets[rows], data.arrays.names), data.arrays.kin
    some = None if kin is None else [str(code) for code in kin[rows].tolist()]
    codes = fold_codes(data.task.strata(targets), some, spec.folds, spec.repeats, data.seed)
    return tuple(Fold(rows[one != fold], rows[one == fold]) for one in codes for fold in range(spec.folds))


@dataclass(frozen=True)
class FoldModel:
    """The model of a fold.

    Attributes:
        session: its training.
        fold: its rows.
        data: with what the task knows of its training rows.
        mixing: how samples are mixed with one another; None if they are not.
        train_one: trains an epoch.
    """

    session: Session
    fold: Fold
    data: TrainingData
    mixing: Mixing | None = None
    train_one: TrainEpoch = train_epoch


class FoldScores:
    """Trains the models of all folds, and scores them.

    Args:
        models: one for each fold of each repeat.
        given: what they take, by row.
        augmenter: changes what they are trained on.
        watch: what batches go through.
    """

    def __init__(
        self, models: Sequence[FoldModel], given: PhaseInputs, augmenter: Augmenter | Views | None, watch: Watch
    ) -> None:
        self.models, self._given, self._augmenter, self._watch = models, given, augmenter, watch

    def after(self, epoch: int) -> dict[str, float]:
        """The mean of each metric over the folds after an epoch, and the bounds of the job's own metric.

        Models that are behind are trained up to it: those of a trial that was resumed begin anew.

        Args:
            epoch: from 1.
        """
        found = [self._score(model, epoch) for model in self.models]
        means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
        metric, folds = self.models[0].data.metric, [one.fold for one in self.models]
        held_out = np.mean([len(fold.held_out) / len(fold.training) for fold in folds])
        num_rows = len(np.unique(np.concatenate([fold.held_out for fold in folds])))
        bounds = resampled([one[metric.name] for one in found], float(held_out), metric, num_rows)
        return {**means, f"{metric.name}_low": bounds.low, f"{metric.name}_high": bounds.high}

    def _score(self, model: FoldModel, epoch: int) -> dict[str, float]:
        session, data, rows = model.session, model.data, model.fold.held_out
        task, names = data.task, tuple(dict.fromkeys((*data.task.trial_metrics, data.metric.name)))
        while session.epochs_done < epoch:
            if not self._train(model):
                return dict.fromkeys(names, float("nan"))
        inputs = self._given.judged(session.model)
        batches = _Watched(Batches(inputs, data.arrays.targets, rows, EVALUATION_BATCH), self._watch)
        with session.as_judged():
            outputs = predict_outputs(session.model, batches, session.plan.strategy.precision)
        facts = data.arrays.facts
        return task.score(task.decide(outputs, facts), data.arrays.targets[rows], names, facts)

    def _train(self, model: FoldModel) -> bool:
        """Train an epoch; whether the loss stayed finite."""
        session, arrays = model.session, model.data.arrays
        inputs, batch_size = (
            self._given.trained(session.model, session.epochs_done + 1),
            session.plan.strategy.batch_size,
        )
        batches = Batches(inputs, arrays.targets, model.fold.training, batch_size)
        batches = batches.weighted(arrays.weights).mixed(model.mixing)
        with torch.random.fork_rng(devices=session.cuda_devices):
            epoch = batches.epoch(session.plan.seed, session.epochs_done + 1, self._augmenter)
            ending = model.train_one(session, self._watch(epoch))
        if ending is not None:
            return False
        session.finish_epoch({"train/loss": session.partial.loss})
        return True


@dataclass(frozen=True)
class _Watched:
    batches: Batches
    watch: Watch

    def for_evaluation(self) -> Iterable[tuple[np.ndarray, Any]]:
        return self.watch(self.batches.for_evaluation())


def of_fold(data: TrainingData, fold: Fold) -> TrainingData:
    """The data with what the task knows of the fold's training rows alone."""
    arrays = data.arrays
    facts = data.task.facts(arrays.targets[fold.training], arrays.names)
    return replace(data, arrays=replace(arrays, facts=facts, directory=None))


def copies_of(network: Network, count: int, frozen_blocks: int) -> Iterator[Network]:
    """Networks with weights of their own, but for the stem and the blocks that no training changes.

    Args:
        network: before it is adapted.
        count: how many.
        frozen_blocks: from the first one; 0 where even the stem is trained.
    """
    shared = [network.backbone.stem, *list(network.backbone.blocks)[:frozen_blocks]] if frozen_blocks else []
    for _ in range(count):
        yield copy.deepcopy(network, {id(one): one for one in shared})
