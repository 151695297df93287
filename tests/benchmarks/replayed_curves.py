"""Learning curves in the place of training, for trials of one worker, of several, and in a simulation.

The weights are one number. Each epoch adds to it, the more the nearer the learning rate is to the one that is best at
that epoch, so what a trial reports follows from all it has inherited: a checkpoint that was not handed over, or the
wrong one, shows in the values, and with them in who copies whom.
"""

import math
from collections.abc import Iterable
from pathlib import Path

from graft.learner.trial import Message
from graft.search.protocol import Checkpoint, Proposal, TrialReporter
from graft.training.world import Ranks
from graft.workers.groups.channel import Channel

# The best learning rate falls from the first to the last epoch by this many orders of magnitude.
FIRST_BEST, FALL = -1.5, 1.5


def gain(proposal: Proposal, epoch: int) -> float:
    """What an epoch (from 1) adds to the weights, in 0…1."""
    best = FIRST_BEST - FALL * (epoch - 1) / max(1, proposal.epochs - 1)
    return math.exp(-abs(math.log10(proposal.strategy.lr) - best))


def mark(marks: Path, checkpoint: Checkpoint) -> Path:
    """The file that holds the weights."""
    return marks / f"{checkpoint.trial}-s{checkpoint.segment}-e{checkpoint.epoch}"


def newest(proposal: Proposal, marks: Path) -> Checkpoint | None:
    """Where a trial goes on: its own newest weights, else those it is to start from."""
    own = (Checkpoint(proposal.trial, proposal.segment, epoch) for epoch in range(proposal.epochs, 0, -1))
    return next((one for one in own if mark(marks, one).exists()), proposal.start)


def weights_at(checkpoint: Checkpoint | None, marks: Path) -> float:
    """The weights that were left there; 0 are the pretrained ones."""
    return 0.0 if checkpoint is None else float(mark(marks, checkpoint).read_text())


def leave(weights: float, proposal: Proposal, epoch: int, marks: Path) -> None:
    """Write the weights down, whole or not at all."""
    target = mark(marks, Checkpoint(proposal.trial, proposal.segment, epoch))
    scratch = target.with_name(f".{target.name}")
    scratch.write_text(repr(weights))
    scratch.replace(target)


def epochs_left(proposal: Proposal, at: Checkpoint | None) -> Iterable[int]:
    """The epochs between a checkpoint and the end."""
    return range((at.epoch if at else 0) + 1, proposal.epochs + 1)


def metrics(weights: float) -> dict[str, float]:
    """What a trial reports."""
    return {"val/accuracy": weights, "train/seconds": 0.0}


def replay_alone(proposal: Proposal, marks: Path, reporter: TrialReporter) -> None:
    """The trial function of a search with one worker a trial."""
    at = newest(proposal, marks)
    weights = weights_at(at, marks)
    for epoch in epochs_left(proposal, at):
        weights += gain(proposal, epoch)
        leave(weights, proposal, epoch, marks)
        reporter.report(epoch, metrics(weights))


def replay_in_group(proposal: Proposal, marks: Path, channel: Channel) -> None:
    """The work function of a group: every rank adds its share, over the process group."""
    world, at = Ranks(), newest(proposal, marks)
    weights = weights_at(at, marks)
    for epoch in epochs_left(proposal, at):
        if channel.is_abandoned():
            return
        weights += world.sum([gain(proposal, epoch) / world.size])[0]
        if world.rank == 0:
            leave(weights, proposal, epoch, marks)
        if not channel.report(Message(epoch, metrics(weights))):
            return


def replay_simulated(proposal: Proposal, epoch: int, marks: Path) -> dict[str, float]:
    """The curve of a simulation: one epoch of it."""
    weights = weights_at(newest(proposal, marks), marks) + gain(proposal, epoch)
    leave(weights, proposal, epoch, marks)
    return metrics(weights)
