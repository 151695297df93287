"""The training loop: plain torch, one report an epoch, resumable at every epoch border bit for bit (on a CPU).

    adapted = adapt(classifier, strategy, seed)
    session = prepare(adapted, TrainingPlan(strategy, epochs=8, seed=seed), steps_per_epoch)
    outcome = train(session, batches, evaluate, on_epoch, augmenter)
    session.restore_best()

All randomness of an epoch is derived from (seed, epoch): the order of the samples and their augmentation by whoever
makes the batches, everything else (dropout) by torch's global state, which is seeded for the epoch and put back after.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from graft.core.clock import Clock, SystemClock
from graft.core.seeds import derive_seed
from graft.training.losses import build_loss
from graft.training.optimizer import build_optimizer
from graft.training.plan import EpochResult, TrainingOutcome, TrainingPlan, TrainingStatus
from graft.training.precision import autocast, wants_bf16
from graft.training.session import Session
from graft.transfer.adapt import Adapted

__all__ = ["EpochResult", "Session", "TrainingOutcome", "TrainingPlan", "TrainingStatus", "prepare", "train"]


class TrainingBatches(Protocol):
    """Shuffled batches of one epoch: images [B, 3, H, W] and labels [B], on the device of the model."""

    def epoch(self, seed: int, epoch: int, augmenter: Any) -> Iterable[tuple[Tensor, Tensor]]: ...


Evaluate = Callable[[nn.Module], Mapping[str, float]]
OnEpoch = Callable[[EpochResult], object]


def prepare(adapted: Adapted, plan: TrainingPlan, steps_per_epoch: int, clock: Clock | None = None) -> Session:
    """Move an adapted model to its device and make it ready to be trained.

    Args:
        adapted: from `adapt` with the plan's strategy; the session uses it, it does not copy it.
        plan: what to do.
        steps_per_epoch: number of training batches, at least 1.
        clock: for the seconds in reports.

    Raises:
        ValueError: `epochs` or `steps_per_epoch` is below 1.
        SpecError: the device does not have the strategy's precision.
    """
    for name, value in (("epochs", plan.epochs), ("steps_per_epoch", steps_per_epoch)):
        if value < 1:
            raise ValueError(f"{name} is {value}, but must be >= 1")
    wants_bf16(plan.strategy.precision, torch.device(plan.device))
    if plan.num_threads is not None:
        torch.set_num_threads(plan.num_threads)
    adapted.to(torch.device(plan.device))
    return Session(
        adapted=adapted,
        plan=plan,
        optimizer=build_optimizer(plan.strategy.optimizer, adapted.groups),
        loss=build_loss(plan.strategy.loss),
        steps_per_epoch=steps_per_epoch,
        clock=clock or SystemClock(),
    )


def train(
    session: Session,
    train_batches: TrainingBatches,
    evaluate: Evaluate | None,
    on_epoch: OnEpoch | None = None,
    augmenter: Any = None,
) -> TrainingOutcome:
    """Train until the plan's last epoch, or until something ends it; a resumed session goes on where it was.

    Args:
        session: from `prepare`; holds all state that changes.
        train_batches: asked for ``epoch(seed, epoch, augmenter)``, epochs counted from 1.
        evaluate: metrics of the model on validation data, by plain names (``accuracy``); they are reported as
            ``val/accuracy``. None when there is no validation data: then the last epoch is the best one.
        on_epoch: called after each epoch; False ends training (status STOPPED), an exception passes through.
        augmenter: handed to the batches as it is.

    Returns:
        How it ended and the best epoch. COMPLETED if all epochs were trained or patience ran out, NON_FINITE if a
        loss or metric was NaN or infinite; an infinite loss ends training before it reaches the weights.
    """
    while session.epochs_done < session.plan.epochs and not session.out_of_patience:
        started = session.clock.elapsed()
        epoch = session.epochs_done + 1
        lr = session.current_lr
        with torch.random.fork_rng(devices=session.cuda_devices):
            torch.manual_seed(derive_seed(session.plan.seed, "epoch", epoch))
            loss, reason = _train_epoch(session, train_batches.epoch(session.plan.seed, epoch, augmenter), epoch)
        if reason:
            return session.outcome(TrainingStatus.NON_FINITE, reason)
        metrics = {"train/loss": loss} | {
            f"val/{k}": v for k, v in (evaluate(session.model) if evaluate else {}).items()
        }
        if broken := [name for name, value in metrics.items() if not math.isfinite(value)]:
            reason = f"{broken[0]} is {metrics[broken[0]]} after epoch {epoch}; try a smaller lr"
            return session.outcome(TrainingStatus.NON_FINITE, reason)
        session.finish_epoch(metrics)
        result = EpochResult(epoch, metrics, lr, session.clock.elapsed() - started)
        if on_epoch and on_epoch(result) is False:
            return session.outcome(TrainingStatus.STOPPED, f"stopped from outside after epoch {epoch}")
    impatient = f"{session.plan.selected_by} did not improve for {session.plan.patience} epochs"
    return session.outcome(TrainingStatus.COMPLETED, impatient if session.out_of_patience else "")


def _train_epoch(session: Session, batches: Iterable[tuple[Tensor, Tensor]], epoch: int) -> tuple[float, str]:
    """Mean loss of an epoch's samples, and why it ended early (empty if it did not)."""
    session.model.train()
    total, count = 0.0, 0
    for index, (images, labels) in enumerate(batches):
        session.set_lr(session.first_step + index)
        session.optimizer.zero_grad(set_to_none=True)
        with autocast(session.plan.strategy.precision, session.device):
            logits = session.model(images)
        loss = session.loss(logits, labels)
        value = loss.item()
        if not math.isfinite(value):
            return value, f"loss is {value} in epoch {epoch}, step {index + 1}; try a smaller lr"
        loss.backward()  # type: ignore[no-untyped-call]
        session.adapted.penalty.add_gradients()
        session.optimizer.step()
        total, count = total + value * len(labels), count + len(labels)
    if not count:
        raise ValueError(f"epoch {epoch} has no batch, but must have at least one")
    return total / count, ""
