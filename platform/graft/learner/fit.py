"""The final fit: the winner's schedule trained anew on all rows it may see, by one process or several.

It can be killed at any moment: every few seconds its state is on the disk, and whoever runs it again, with as many
processes as there are then, goes on from there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from graft.core.clock import SystemClock
from graft.core.errors import ArtifactError, TrialError
from graft.core.heartbeat import Board, Pulse
from graft.core.stores.copy import bring, drop, publish
from graft.core.stores.sender import Sender
from graft.data.dataset import Split
from graft.learner.cached_features import FeatureCache
from graft.learner.final_model import FinalModel
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import training_data_of
from graft.search.strategy_schedule import Stretch
from graft.spec.strategy import MAX_LR, Strategy
from graft.spec.training import FitSpec
from graft.training.checkpoint import TrainingState, load_state, save_state
from graft.training.loop import EpochResult, Session, TrainEpoch, TrainingOutcome, TrainingStatus, train_epoch
from graft.training.world import ALONE, Ranks, World
from graft.workers.elastic_host import Rank
from graft.workers.nodes.leaving import LeavingNotice, leaving_notice


@dataclass(frozen=True)
class FitTask:
    """What is to be fitted, and within what.

    Attributes:
        model: the winner, and where its weights go.
        num_threads: torch threads of each process.
        workers: processes it was planned for; a scaled batch keeps to this number when there are fewer.
        seconds: how long it may take; it ends early, with what it has, rather than take much longer. None is no limit.
        feature_cache: where features of frozen blocks are.
        heartbeats: where its processes show that they get on; None if nobody looks.
        last_epoch: it ends after this one, with the learning rates of the whole schedule; None trains all of it.
    """

    model: FinalModel
    num_threads: int
    workers: int = 1
    seconds: float | None = None
    feature_cache: FeatureCache | None = None
    heartbeats: Board | None = None
    last_epoch: int | None = None

    @property
    def spec(self) -> FitSpec:
        return self.model.job.training.fit

    @property
    def splits(self) -> tuple[Split, ...]:
        """The rows that it is trained on."""
        both = (Split.TRAIN, Split.VALIDATION)
        return both[:1] if self.model.job.training.final_on == "train" else both

    @property
    def end(self) -> int:
        """Epochs behind it when it is done."""
        epochs = self.model.schedule.epochs
        return epochs if self.last_epoch is None else min(epochs, self.last_epoch)

    @property
    def state_file(self) -> Path:
        """Where its state is while it runs."""
        return self.model.weights.with_name("state.safetensors")


def fit(task: FitTask, world: World = ALONE, nodes: Sequence[str] = ()) -> dict[str, Any]:
    """Train the winner's schedule on all rows it may see, and keep its last epoch; every rank calls this.

    Args:
        task: what is fitted.
        world: the processes that train together.
        nodes: on which they run, by Ray's ids; empty for this one's.

    Returns:
        Epochs, samples and metrics of the last epoch, as JSON.

    Raises:
        TrialError: the loss became infinite, although it did not in the search.
        NodeLeaving: notice was given that a node will be taken away; the state is on the disk.
    """
    state, metrics = _left_state(task.state_file), dict[str, float]()
    with Pulse(task.heartbeats, "fit") as pulse, leaving_notice(nodes) as notice, Sender() as sender:
        keeper = _Keeper(task, world, pulse, notice, sender)
        for stretch in task.model.schedule.stretches:
            done = 0 if state is None else state.epochs_done
            if keeper.is_out_of_time or done >= min(stretch.to_epoch, task.end):
                continue
            session, outcome = _train(task, stretch, state, keeper)
            state, metrics = session.state(with_best=False), dict(outcome.best_metrics)
    if state is None:
        raise ValueError("the schedule has no stretch, but must have at least one")
    if world.rank == 0:
        _keep_last(task, state)
    counts = task.model.open_dataset().counts
    samples = sum(counts[split.name.lower()] for split in task.splits)
    return {"epochs": state.epochs_done, "samples": samples, **metrics}


def fit_in_group(rank: Rank, task: FitTask) -> dict[str, Any]:
    """`fit` in a process of a group, of however many there are now."""
    return fit(task, Ranks() if rank.size > 1 else ALONE, rank.nodes)


def scaled(strategy: Strategy, spec: FitSpec, workers: int) -> Strategy:
    """The strategy for a batch that is scaled with the workers, if the job asks for it.

    Linear rule (Goyal et al., 2017): k times the batch, k times the learning rate; square-root rule: √k times, as the
    noise of the mean gradient falls.
    """
    if spec.batch == "fixed" or workers == 1:
        return strategy
    factor = {"none": 1.0, "linear": float(workers), "sqrt": workers**0.5}[spec.lr_rule]
    changes = {"batch_size": strategy.batch_size * workers, "lr": min(strategy.lr * factor, MAX_LR)}
    return strategy.model_copy(update=changes)


class _Keeper:
    """Saves the state often enough, and ends the fit when its time is over."""

    def __init__(self, task: FitTask, world: World, pulse: Pulse, notice: LeavingNotice, sender: Sender) -> None:
        self._sender = sender
        self._task, self.world, self.pulse, self._notice = task, world, pulse, notice
        self._clock = SystemClock()
        self._started = self._saved = self._clock.elapsed()
        self.is_out_of_time = False

    def until(self, session: Session, stretch: Stretch) -> Callable[[EpochResult], bool]:
        """What ends the training of a stretch."""

        def on_epoch(result: EpochResult) -> bool:
            self.is_out_of_time = self.world.broadcast(self._would_be_late(result.seconds))
            if self._is_due():
                self._save(session)
            return result.epoch < min(stretch.to_epoch, self._task.end) and not self.is_out_of_time

        return on_epoch

    def train_one(self, session: Session) -> TrainEpoch:
        """Trains an epoch, and saves in the middle of it."""

        def on_step(epoch: int, steps: int) -> None:
            every = self._task.spec.checkpoint_steps
            if self._is_due() or (every is not None and steps % every == 0):
                self._save(session)

        return partial(train_epoch, on_step=on_step, should_stop=self._notice.is_given)

    def leave_if_told(self, session: Session) -> None:
        """Where a training was stopped in an epoch because its node is to go: keep its state, and end."""
        if self.world.broadcast(self._notice.is_given()):
            self._save(session)
            self.world.broadcast(None)  # no rank ends before it is on the disk
            raise self._notice.as_error(f"epoch {session.epochs_done + 1} up to step {session.partial.steps}")

    def _would_be_late(self, next_seconds: float) -> bool:
        limit = self._task.seconds
        return limit is not None and self._clock.elapsed() - self._started + next_seconds > limit

    def _is_due(self) -> bool:
        return self._clock.elapsed() - self._saved >= self._task.spec.checkpoint_seconds

    def _save(self, session: Session) -> None:
        self._saved = self._clock.elapsed()
        if self.world.rank == 0:
            save_state(session.state(with_best=False), self._task.state_file)
            self._sender.send(self._task.state_file)


def _train(
    task: FitTask, stretch: Stretch, state: TrainingState | None, keeper: _Keeper
) -> tuple[Session, TrainingOutcome]:
    """Train one stretch of the schedule, from the state that the one before has left."""
    with keeper.pulse.starting():
        learner = _learner(task, stretch.strategy, keeper)
        session = learner.session
        if state is not None:
            session.load(state)
    outcome = learner.train(keeper.until(session, stretch), validate=False, train_one=keeper.train_one(session))
    if outcome.status is TrainingStatus.STOPPED and session.partial.steps:
        keeper.leave_if_told(session)
    if outcome.status is TrainingStatus.NON_FINITE:
        hint = "set training.final_on to `train` to keep the trial's weights"
        raise TrialError(f"the final fit ended early: {outcome.reason}; {hint}")
    return session, outcome


def _learner(task: FitTask, strategy: Strategy, keeper: _Keeper) -> SupervisedLearner:
    training_data = training_data_of(
        task.model.job, task.model.open_dataset(), task.num_threads, feature_cache=task.feature_cache
    )
    spec = task.spec
    training_data = replace(
        training_data,
        epochs=task.model.schedule.epochs,
        patience=None,
        accumulate=spec.accumulate,
        sync_batch_norm=spec.sync_batch_norm,
    )
    adapted = scaled(strategy, spec, task.workers)
    return build_learner(training_data, adapted, task.splits, keeper.world, keeper.pulse.over)


def _left_state(path: Path) -> TrainingState | None:
    """What a fit that was cut off has left; a damaged state is none."""
    if not bring(path).exists():
        return None
    try:
        return load_state(path)
    except ArtifactError:
        return None


def _keep_last(task: FitTask, state: TrainingState) -> None:
    tensors = {f"best/{name}": tensor for name, tensor in state.last.items()}
    save_state(TrainingState(state.epochs_done, state.epochs_done, {}, tensors), task.model.weights)
    publish(task.model.weights)
    drop(task.state_file)
