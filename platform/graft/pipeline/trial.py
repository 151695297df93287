"""A trial: one strategy trained on the training rows, scored on the validation rows, reported every epoch.

One process or several: the training is the same, `train_proposal`. What differs is who carries the reports: a trial of
one process reports to the search itself; with several, a process without a CPU leases a group of workers, hands them
the proposal, and relays.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from graft.data.dataset import Split
from graft.pipeline.checkpoints import CheckpointStore
from graft.pipeline.learning import Learner, Lesson, build_learner
from graft.search.protocol import Checkpoint, CheckpointEpochs, Proposal, TrialReporter
from graft.training.channel import Channel
from graft.training.checkpoint import load_state, save_state
from graft.training.lease import GroupsHandle
from graft.training.loop import EpochResult, Session, TrainingOutcome, TrainingStatus
from graft.training.world import ALONE, Ranks, World

OnReport = Callable[[int, Mapping[str, float]], bool]
"""``on_report(epoch, metrics)``: hands over an epoch; whether the trial may go on."""


@dataclass(frozen=True)
class TrialPayload:
    """What all trials of a phase share.

    Attributes:
        lesson: what they are taught.
        store: where their weights go.
        due: when a state must be left that somebody may go on from.
    """

    lesson: Lesson
    store: CheckpointStore
    due: CheckpointEpochs


@dataclass(frozen=True)
class Message:
    """What rank 0 of a group says: an epoch's metrics, or why the trial cannot go on."""

    epoch: int
    metrics: Mapping[str, float]
    failure: str = ""


def run_trial(proposal: Proposal, payload: TrialPayload, reporter: TrialReporter) -> None:
    """Train one proposal in this process; the trial function of a search with one worker a trial."""

    def on_report(epoch: int, metrics: Mapping[str, float]) -> bool:
        reporter.report(epoch, metrics)  # does not return when the trial may not go on
        return True

    outcome = train_proposal(proposal, payload, ALONE, on_report)
    if outcome.status is TrainingStatus.NON_FINITE:
        reporter.fail(outcome.reason)


def run_trial_in_group(proposal: Proposal, groups: GroupsHandle, reporter: TrialReporter) -> None:
    """Have a group of workers train one proposal; the trial function of a search with several workers a trial."""
    with groups.lease(proposal.trial) as lease:
        for message in lease.run(proposal):
            if message.failure:
                reporter.fail(message.failure)
            else:
                reporter.report(message.epoch, message.metrics, lease.nodes)


def train_in_group(proposal: Proposal, payload: TrialPayload, channel: Channel) -> None:
    """What each worker of a group does with a proposal."""
    world = Ranks() if channel.size > 1 else ALONE

    def on_report(epoch: int, metrics: Mapping[str, float]) -> bool:
        return channel.report(Message(epoch, metrics))

    outcome = train_proposal(proposal, payload, world, on_report, channel.is_abandoned)
    if outcome.status is TrainingStatus.NON_FINITE:
        channel.report(Message(outcome.epochs_done, {}, outcome.reason))


def train_proposal(
    proposal: Proposal,
    payload: TrialPayload,
    world: World,
    on_report: OnReport,
    should_stop: Callable[[], bool] | None = None,
) -> TrainingOutcome:
    """Train a proposal from where it stands to its last epoch; every rank of `world` calls this.

    The best epoch's weights, and a state that is due, are on the disk before the epoch is reported: the search may end
    the trial at any report, and somebody else may go on from it.
    """
    store, due, is_writer = payload.store, payload.due, world.rank == 0
    learner = build_learner(payload.lesson, proposal.strategy, (Split.TRAIN,), world)
    session = learner.session
    _go_on_from(session, proposal, store)
    if session.epochs_done > max(proposal.reported, proposal.start.epoch if proposal.start else 0):
        metrics = {f"val/{name}": value for name, value in _agreed(learner, world).items()}
        if not on_report(session.epochs_done, {**metrics, "train/lr": session.current_lr, "train/seconds": 0.0}):
            return session.outcome(TrainingStatus.STOPPED, "ended while it was being resumed")
    if session.epochs_done >= proposal.epochs:
        return session.outcome(TrainingStatus.COMPLETED, "")

    def on_epoch(result: EpochResult) -> bool:
        if is_writer and session.best_epoch == result.epoch:
            save_state(session.best(), store.best_file(proposal.trial))
        if is_writer and due.wants(result.epoch):
            checkpoint = Checkpoint(proposal.trial, proposal.segment, result.epoch)
            save_state(session.state(with_best=False), store.state_file(checkpoint))
        metrics = {**result.metrics, "train/lr": result.lr, "train/seconds": result.seconds}
        return on_report(result.epoch, metrics) and result.epoch < proposal.epochs

    return learner.train(on_epoch, validate=True, should_stop=should_stop)


def _go_on_from(session: Session, proposal: Proposal, store: CheckpointStore) -> None:
    """Load what the trial itself has left, else what it is to start from; its own best epoch is the one to beat."""
    state = store.newest(proposal.trial, proposal.segment)
    if state is None and proposal.start is not None:
        state = store.load(proposal.start)
    if state is not None:
        # The best of the donor is the donor's: this trial is scored by its own epochs.
        session.load(replace(state, best_epoch=None, best_metrics={}))
    best = store.best_file(proposal.trial)
    session.adopt_best(load_state(best) if best.exists() else None)


def _agreed(learner: Learner, world: World) -> Mapping[str, float]:
    return world.broadcast(dict(learner.validation_metrics(learner.session.model)))
