"""A trial: one strategy trained on the training rows, scored on the validation rows, reported every epoch.

One process or several: the training is the same, `train_proposal`. What differs is who carries the reports: a trial of
one process reports to the search itself; with several, a process without a CPU leases a group of workers, hands them
the proposal, and relays. It also relays for trials whose heads one process trains together.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from graft.core.heartbeat import Board, Pulse
from graft.core.stores.sender import Sender
from graft.learner.checkpoints import CheckpointStore
from graft.learner.protocol import Learner, LearnerFactory
from graft.search.protocol import LENGTH, Allowance, Checkpoint, CheckpointEpochs, Proposal, TrialReporter
from graft.training.checkpoint import TrainingState
from graft.training.loop import EpochResult, TrainEpoch, TrainingOutcome, TrainingStatus, train_epoch
from graft.training.process_usage import ProcessUsage
from graft.training.steps.own_length import OwnLength
from graft.training.world import ALONE, Ranks, World
from graft.workers.groups.channel import Channel
from graft.workers.groups.lease import GroupsHandle
from graft.workers.heads_host import HeadsHandle, Seat
from graft.workers.nodes.leaving import LeavingNotice, leaving_notice

# A trial leaves a state that often even if its scheduler needs none: so much work is lost when its process dies.
STATE_SECONDS = 20.0

OnReport = Callable[[int, Mapping[str, float], Sequence[str]], bool]
"""``on_report(epoch, metrics, notes)``: hands over an epoch; whether the trial may go on."""


@dataclass(frozen=True)
class TrialPayload:
    """What all trials of a phase share.

    Attributes:
        factory: makes the learner of a strategy.
        store: where their weights go.
        due: when a checkpoint is due.
        heartbeats: where the processes that train show that they get on; None if nobody looks.
        allowance: by which they plan how long they train; None if all train what they are told to.
    """

    factory: LearnerFactory
    store: CheckpointStore
    due: CheckpointEpochs
    heartbeats: Board | None = None
    allowance: Allowance | None = None


@dataclass(frozen=True)
class Hosted:
    """What trials that are trained together need: who does it, and when a checkpoint is due."""

    handle: HeadsHandle
    due: CheckpointEpochs


@dataclass(frozen=True)
class Message:
    """What rank 0 of a group, or a thread of a host, says: an epoch's metrics, or why the trial cannot go on."""

    epoch: int
    metrics: Mapping[str, float]
    notes: tuple[str, ...] = ()
    failure: str = ""


def run_trial(proposal: Proposal, payload: TrialPayload, reporter: TrialReporter) -> None:
    """Train one proposal in this process; the trial function of a search with one worker a trial."""

    def on_report(epoch: int, metrics: Mapping[str, float], notes: Sequence[str]) -> bool:
        reporter.report(epoch, metrics, notes=notes)  # does not return when the trial may not go on
        return True

    with leaving_notice() as notice:
        train_one = partial(train_epoch, should_stop=notice.is_given)
        outcome = train_proposal(proposal, payload, ALONE, on_report, train_one, notice)
    if outcome.status is TrainingStatus.NON_FINITE:
        reporter.fail(outcome.reason)


def run_trial_in_host(proposal: Proposal, hosted: Hosted, reporter: TrialReporter) -> None:
    """Have a host train one proposal together with others; the trial function where heads are trained together."""
    _relay(hosted.handle.run(proposal.trial, (proposal, hosted.due)), reporter)


def train_in_host(order: tuple[Proposal, CheckpointEpochs], payload: TrialPayload, seat: Seat) -> None:
    """What a thread of a host does with a proposal."""
    proposal, due = order

    def on_report(epoch: int, metrics: Mapping[str, float], notes: Sequence[str]) -> bool:
        return seat.report(Message(epoch, metrics, tuple(notes)))

    together = seat.rendezvous.train_epoch
    outcome = train_proposal(proposal, replace(payload, due=due), ALONE, on_report, together)
    if outcome.status is TrainingStatus.NON_FINITE:
        seat.report(Message(outcome.epochs_done, {}, failure=outcome.reason))


def run_trial_in_group(proposal: Proposal, groups: GroupsHandle, reporter: TrialReporter) -> None:
    """Have a group of workers train one proposal; the trial function of a search with several workers a trial."""
    with groups.lease(proposal.trial) as lease:
        _relay(lease.run(proposal), reporter, lambda: lease.nodes)


def train_in_group(proposal: Proposal, payload: TrialPayload, channel: Channel) -> None:
    """What each worker of a group does with a proposal."""
    world = Ranks() if channel.size > 1 else ALONE
    untold = [f"{channel.ended_by}; others go on from its newest checkpoint"] if channel.ended_by else []

    def on_report(epoch: int, metrics: Mapping[str, float], notes: Sequence[str]) -> bool:
        told = (*untold, *notes)
        untold.clear()
        return channel.report(Message(epoch, metrics, told))

    with leaving_notice(channel.nodes) as notice:

        def should_stop() -> bool:
            return channel.is_abandoned() | notice.is_given()  # every rank has to ask the channel

        outcome = train_proposal(
            proposal, payload, world, on_report, partial(train_epoch, should_stop=should_stop), notice
        )
    if outcome.status is TrainingStatus.NON_FINITE:
        channel.report(Message(outcome.epochs_done, {}, failure=outcome.reason))


def train_proposal(
    proposal: Proposal,
    payload: TrialPayload,
    world: World,
    on_report: OnReport,
    train_one: TrainEpoch | None = None,
    notice: LeavingNotice | None = None,
) -> TrainingOutcome:
    """Train a proposal from where it stands to its last epoch; every rank of `world` calls this.

    The best epoch's weights, and a state that is due, are on the disk before the epoch is reported: the search may end
    the trial at any report, and somebody else may go on from it. When the disk is full, training goes on without.

    Raises:
        NodeLeaving: notice was given that the node will be taken away; the state as it is in the middle of the epoch
            is on the disk.
    """
    with Pulse(payload.heartbeats, proposal.trial) as pulse, Sender() as sender:
        keeper = _Keeper(payload, proposal, world.rank == 0, sender)
        with pulse.starting():
            learner = payload.factory(proposal.strategy, world, pulse.over)
            if proposal.length:
                learner.plan_epochs(proposal.length)
            keeper.go_on_from(learner)
        if payload.allowance and not (proposal.reported or proposal.start or proposal.is_solved):
            own = _own_length_of(proposal, payload.allowance, learner, world)
            train_one, on_report = own.training(train_one or train_epoch), _telling(own, proposal, on_report)
        outcome = _train(proposal, keeper, learner, on_report, train_one)
        if notice is not None and outcome.status is TrainingStatus.STOPPED:
            _leave(keeper, learner, world, notice)
        return outcome


def _leave(keeper: "_Keeper", learner: Learner, world: World, notice: LeavingNotice) -> None:
    """Where a training was stopped in an epoch because its node is to go: keep its state, and say so on every rank."""
    state = learner.state(with_best=False)
    if not world.broadcast(notice.is_given() and bool(state.partial.steps)):
        return
    keeper.keep_cut(state)
    world.broadcast(None)  # no rank ends before it is on the disk
    raise notice.as_error(f"epoch {state.epochs_done + 1} up to step {state.partial.steps}")


def _train(
    proposal: Proposal, keeper: "_Keeper", learner: Learner, on_report: OnReport, train_one: TrainEpoch | None
) -> TrainingOutcome:
    keeper.note(learner.note)
    if learner.epochs_done > max(proposal.reported, proposal.start.epoch if proposal.start else 0):
        metrics = {f"val/{name}": value for name, value in learner.validation().items()}
        metrics |= {"train/lr": learner.current_lr, "train/seconds": 0.0}
        if not on_report(learner.epochs_done, metrics, keeper.take_notes()):
            return _as_it_stands(learner, TrainingStatus.STOPPED, "ended while it was being resumed")
    if learner.epochs_done >= proposal.epochs:
        return _as_it_stands(learner, TrainingStatus.COMPLETED, "")

    usage, first = ProcessUsage(learner.device), learner.epochs_done + 1

    def on_epoch(result: EpochResult) -> bool:
        keeper.keep(learner, result.epoch)
        once = learner.facts if result.epoch == first else {}
        metrics = {**result.metrics, "train/lr": result.lr, "train/seconds": result.seconds, **once, **usage.sample()}
        return on_report(result.epoch, metrics, keeper.take_notes()) and result.epoch < proposal.epochs

    return learner.train(on_epoch, validate=True, train_one=train_one)


def _own_length_of(proposal: Proposal, allowance: Allowance, learner: Learner, world: World) -> OwnLength:
    def affordable(done: float, seconds: float) -> int:
        return allowance.epochs(done, seconds, time.time(), proposal.others)

    return OwnLength(affordable, learner.plan_epochs, proposal.epochs, allowance.validation, world)


def _telling(own: OwnLength, proposal: Proposal, on_report: OnReport) -> OnReport:
    """Reports that say how many epochs are planned, as long as these are not those of the proposal."""
    told = proposal.epochs

    def report(epoch: int, metrics: Mapping[str, float], notes: Sequence[str]) -> bool:
        nonlocal told
        if metrics["train/seconds"]:  # else it was trained by another process
            own.after(epoch, metrics["train/seconds"])
        if own.epochs != told:
            told = own.epochs
            why = f"an epoch takes {own.seconds:.3g} s, and the budget has no time for more and for what follows"
            notes = (*notes, f"trains {told} of {proposal.epochs} epochs: {why}")
        if told != proposal.epochs:
            metrics = {**metrics, LENGTH: float(told)}
        return on_report(epoch, metrics, notes)

    return report


def _as_it_stands(learner: Learner, status: TrainingStatus, reason: str) -> TrainingOutcome:
    best = learner.best()
    return TrainingOutcome(status, reason, learner.epochs_done, best.best_epoch, best.best_metrics, best.part("best"))


def _relay(messages: Iterator[Message], reporter: TrialReporter, nodes: Callable[[], Sequence[str]] = tuple) -> None:
    for message in messages:
        if message.failure:
            reporter.fail(message.failure)
        else:
            reporter.report(message.epoch, message.metrics, nodes(), message.notes)


class _Keeper:
    """A trial's weights on the disk, and what the user should know of them."""

    def __init__(self, payload: TrialPayload, proposal: Proposal, is_writer: bool, sender: Sender) -> None:
        self._sender = sender
        self._store, self._due, self._proposal, self._is_writer = payload.store, payload.due, proposal, is_writer
        self._notes: list[str] = []
        self._lacks_room = self._lacks_best = False
        self._left = time.monotonic()

    def go_on_from(self, learner: Learner) -> None:
        """Load what the trial itself has left, else what it is to start from; its own best epoch is the one to beat.

        A best epoch that is damaged comes back when the trial is trained again from its start. One that may lie before
        the trial copied another does not: then the best of the epochs to come takes its place.
        """
        proposal, store = self._proposal, self._store
        best = store.best(proposal.trial, self._notes.append)
        is_lost = best is None and store.best_file(proposal.trial).exists()
        is_trained_again = is_lost and proposal.segment == 0
        state = None if is_trained_again else store.newest(proposal.trial, proposal.segment, self._notes.append)
        if state is None and proposal.start is not None:
            state = store.load(proposal.start, self._notes.append)
        if state is not None:
            # The best of the donor is the donor's: this trial is scored by its own epochs.
            learner.load(replace(state, best_epoch=None, best_metrics={}))
        learner.adopt_best(best)

    def keep(self, learner: Learner, epoch: int) -> None:
        """Write what is due after an epoch.

        No state is written behind a best epoch that the disk did not take: whoever resumed from it could not find that
        epoch again.
        """
        if not self._is_writer:
            return
        if self._lacks_best or learner.best_epoch == epoch:
            self._lacks_best = not self._write(learner.best(), self._store.best_file(self._proposal.trial))
        is_due = self._due.wants(epoch) or time.monotonic() - self._left >= STATE_SECONDS
        if is_due and not self._lacks_best:
            self._left = time.monotonic()
            checkpoint = Checkpoint(self._proposal.trial, self._proposal.segment, epoch)
            self._write(learner.state(with_best=False), self._store.state_file(checkpoint))

    def keep_cut(self, state: TrainingState) -> None:
        """Write what an epoch has come to that is cut off."""
        if self._is_writer and not self._lacks_best:
            here = Checkpoint(self._proposal.trial, self._proposal.segment, state.epochs_done)
            self._write(state, self._store.cut_file(here))

    def note(self, text: str) -> None:
        """Tell the user something with the next report."""
        if text:
            self._notes.append(text)

    def take_notes(self) -> list[str]:
        """What has not been told yet."""
        notes, self._notes = self._notes, []
        return notes

    def _write(self, state: TrainingState, file: Path) -> bool:
        """Whether the disk took it."""
        problem = self._store.keep(state, file, self._sender)
        if problem and not self._lacks_room:
            self._notes.append(problem)
        self._lacks_room = bool(problem)
        return not problem
