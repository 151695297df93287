"""A trial: one strategy trained on the training rows, scored on the validation rows, reported every epoch."""

from dataclasses import dataclass
from pathlib import Path

from graft.data.dataset import Split
from graft.pipeline.learning import Lesson, build_learner, checkpoint_file
from graft.search.protocol import Proposal, TrialReporter
from graft.training.checkpoint import TrainingState, save_state
from graft.training.loop import EpochResult, Session, TrainingStatus


@dataclass(frozen=True)
class TrialPayload:
    """What all trials of a search share."""

    lesson: Lesson
    checkpoints: Path


def run_trial(proposal: Proposal, payload: TrialPayload, reporter: TrialReporter) -> None:
    """Train one strategy; the trial function that the pipeline hands to the search.

    The best epoch's weights are on the disk before the epoch is reported: the scheduler may stop the trial at any
    report, and then its best epoch can still be exported.
    """
    learner = build_learner(payload.lesson, proposal.strategy, (Split.TRAIN,))
    checkpoint = checkpoint_file(payload.checkpoints, proposal.trial)

    def on_epoch(result: EpochResult) -> None:
        if learner.session.best_epoch == result.epoch:
            save_best(learner.session, checkpoint)
        reporter.report({**result.metrics, "train/lr": result.lr, "train/seconds": result.seconds})

    outcome = learner.train(on_epoch, validate=True)
    if outcome.status is TrainingStatus.NON_FINITE:
        reporter.fail(outcome.reason)


def save_best(session: Session, path: Path) -> None:
    """Write the best epoch's weights, without what only a continued training would need."""
    tensors = {f"best/{name}": tensor for name, tensor in session.best_state.items()}
    save_state(TrainingState(session.epochs_done, session.best_epoch, dict(session.best_metrics), tensors), path)
