"""One meta-training: what is learned under a strategy, trained in this process, journalled, gone on with."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graft.core.errors import TrialError
from graft.core.heartbeat import Watch, unwatched
from graft.core.seeds import derive_seed
from graft.episodes.meta_learner import MetaLearner, MetaPlan
from graft.episodes.meta_model import MetaModel, built, joined
from graft.episodes.task_source import EpisodeShape, TaskSource
from graft.journal import events
from graft.journal.journal import Journal, read
from graft.learner.checkpoints import CheckpointStore
from graft.learner.trial import TrialPayload, train_proposal
from graft.pipeline.episodes.report import tasks_of
from graft.pipeline.episodes.samples import Division
from graft.search.protocol import CheckpointEpochs, Proposal
from graft.spec.meta.episode_settings import EpisodeSettings
from graft.spec.meta.job import MetaJob
from graft.spec.strategy import Strategy
from graft.training.loop import TrainingStatus
from graft.training.world import ALONE, World

TRIAL = "meta"
"""The trial of a job that searches nothing."""

OnReport = Callable[[str, int, Mapping[str, float]], None]
"""Told of each epoch: the trial, the number of the epoch, and its metrics."""


@dataclass(frozen=True)
class Trained:
    """What was learned.

    Attributes:
        strategy: under which.
        weights: of the best epoch on tasks of held-out classes.
        tasks: that were trained on, by all trials together.
        trials: of a search, best first, as plain data.
    """

    strategy: Strategy
    weights: Mapping[str, Tensor]
    tasks: int
    trials: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


@dataclass(frozen=True)
class MetaFactory:
    """Makes the learner of a strategy (`graft.learner.protocol.LearnerFactory`).

    What it learns follows from job and strategy alone.

    Attributes:
        job: what is asked for.
        division: samples by what they are for.
        earlier: a meta-model that it goes on from, and the samples that it sees again.
        num_threads: of torch in the process that trains; None leaves them as they are.
    """

    job: MetaJob
    division: Division
    earlier: MetaModel | None = None
    num_threads: int | None = None

    def __call__(self, strategy: Strategy, world: World, watch: Watch = unwatched) -> MetaLearner:
        """The learner at its start."""
        if self.num_threads is not None:
            torch.set_num_threads(self.num_threads)
        job, training, settings = self.job, self.division.training, settings_of(strategy)
        shapes = {name: tuple(view.shape[1:]) for name, view in training.inputs.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(job.training.seed, "meta"))
            loss = built(settings.start, settings.adapter, shapes)
        if self.earlier is not None:
            loss.load_state_dict(self.earlier.weights())
            seen = self.earlier.replay()
            training = training if seen is None else joined(training, seen)
        shape = EpisodeShape(settings.ways, job.tasks.shots, settings.queries, settings.within)
        source = TaskSource(training, shape, derive_seed(job.training.seed, "tasks"), checked=True)
        first = next(
            iter(tasks_of(self.division.validation, job.report, job.tasks.queries, job.training.seed).values())
        )
        return MetaLearner(loss, source, first, _plan(job, strategy), world, watch)


def settings_of(strategy: Strategy) -> EpisodeSettings:
    """The part of a strategy that only meta-trainings have."""
    assert strategy.episodes is not None, "every strategy of a job of meta-training has it"
    return strategy.episodes


def tasks_of_epoch(job: MetaJob, strategy: Strategy) -> int:
    """How many tasks an epoch trains on."""
    return job.training.steps * settings_of(strategy).tasks


def train(factory: MetaFactory, directory: Path, journal: Journal, on_report: OnReport) -> Trained:
    """Train the one strategy of a job in this process, from where its journal and checkpoints stand.

    Raises:
        TrialError: the training came to no finite loss.
    """
    strategy = factory.job.space.only()
    _begin(journal, factory.job, strategy)
    began = time.monotonic()
    reported = max((one.epoch for _, one in read(journal.path) if isinstance(one, events.TrialReported)), default=0)

    def report(epoch: int, metrics: Mapping[str, float], notes: Sequence[str]) -> bool:
        for text in notes:
            journal.append(events.TrialNoted(TRIAL, text))
        if epoch > reported:
            journal.append(events.TrialReported(TRIAL, epoch, dict(metrics), metrics.get("train/seconds", 0.0)))
        on_report(TRIAL, epoch, metrics)
        return True

    epochs = factory.job.training.epochs
    payload = TrialPayload(factory, CheckpointStore(directory / "checkpoints"), CheckpointEpochs(every=1))
    outcome = train_proposal(Proposal(TRIAL, strategy, epochs=epochs, reported=reported), payload, ALONE, report)
    if outcome.status is TrainingStatus.NON_FINITE:
        raise TrialError(outcome.reason)
    told = f"its best epoch on tasks of held-out classes is {outcome.best_epoch}"
    seconds = time.monotonic() - began
    done = events.TrialStatus.COMPLETED
    journal.append(
        events.TrialFinished(TRIAL, done, outcome.reason, outcome.epochs_done, dict(outcome.best_metrics), seconds)
    )
    journal.append(events.WinnerChosen(TRIAL, told))
    tasks = outcome.epochs_done * tasks_of_epoch(factory.job, strategy)
    return Trained(strategy, outcome.best_state, tasks)


def _begin(journal: Journal, job: MetaJob, strategy: Strategy) -> None:
    if any(isinstance(one, events.TrialStarted) for _, one in read(journal.path)):
        return
    chosen = {"start": job.start.model_dump(mode="json"), "adapter": job.adapter.model_dump(mode="json")}
    label = f"{job.start.kind} {job.adapter.kind}"
    journal.append(events.TrialStarted(TRIAL, chosen, label, job.training.seed, 0, job.training.epochs))


def _plan(job: MetaJob, strategy: Strategy) -> MetaPlan:
    given = job.training
    return MetaPlan(
        given.epochs,
        given.steps,
        settings_of(strategy).tasks,
        strategy.lr,
        strategy.weight_decay,
        seed=derive_seed(given.seed, "steps"),
        patience=given.patience,
    )
