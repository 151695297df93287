"""The training loop: plain torch, one report an epoch, resumable at every step bit for bit (on a CPU).

    adapted = adapt(network, strategy, seed)
    session = prepare(adapted, TrainingPlan(strategy, epochs=8, seed=seed), steps_per_epoch, loss)
    outcome = train(session, batches, evaluate, on_epoch, augmenter)
    session.restore_best()

All randomness is derived from the seed and the place in training: the order of an epoch's samples and the augmentation
of each by whoever makes the batches, everything else (dropout) by torch's global state, which is seeded at every
step and put back after the epoch.

Several processes train one model when `prepare` is given a `World`. A batch is that of the strategy for any number of
them: each computes its part, and a step is the one that a single process would have taken, except that dropout draws
other numbers and that batch norm sees the part only (unless the plan synchronises it).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from graft.core.clock import Clock, SystemClock
from graft.data.batches import TrainingBatch
from graft.spec.components.unfreezing import AtOnce
from graft.tasks.protocol import LossFunction
from graft.training.compiled import compiled
from graft.training.optimizer import build_optimizer
from graft.training.plan import EpochResult, TrainingOutcome, TrainingPlan, TrainingStatus
from graft.training.precision import autocast, wants_bf16
from graft.training.session import Session
from graft.training.steps.average import WeightAverage
from graft.training.steps.sharpness import at_the_sharpest
from graft.training.steps.update import move_weights
from graft.training.steps.whole_batch import of_all_ranks
from graft.training.world import ALONE, World
from graft.transfer.adapt import Adapted
from graft.transfer.penalties.activations import watching

__all__ = [
    "EpochResult",
    "Session",
    "TrainingOutcome",
    "TrainingPlan",
    "TrainingStatus",
    "prepare",
    "train",
    "train_epoch",
]


class TrainingBatches(Protocol):
    """Shuffled batches of one epoch from the `first` on (0 is all of them), on the device of the model.

    Each is this process's part, samples and targets [B, …], the number of samples of the whole batch, and the weights
    [B] of this part, where samples have some.
    """

    def epoch(self, seed: int, epoch: int, augmenter: Any, first: int) -> Iterable[TrainingBatch]: ...


Evaluate = Callable[[nn.Module], Mapping[str, float]]
OnEpoch = Callable[[EpochResult], object]
OnStep = Callable[[int, int], object]

Ending = tuple[TrainingStatus, str]
TrainEpoch = Callable[[Session, Iterable[TrainingBatch]], Ending | None]
"""``train_one(session, batches)``: trains to the end of the next epoch, or says why that was not reached."""


def prepare(
    adapted: Adapted,
    plan: TrainingPlan,
    steps_per_epoch: int,
    loss: LossFunction,
    clock: Clock | None = None,
    world: World = ALONE,
) -> Session:
    """Make an adapted model ready to be trained on the plan's device.

    Args:
        adapted: from `adapt` with the plan's strategy, the same on every rank; it is used, not copied. Whoever wants
            another memory layout on the device has moved it there before.
        plan: what to do.
        steps_per_epoch: number of training batches, at least 1.
        loss: what is minimised, but for penalties.
        clock: for the seconds in reports.
        world: the processes that train together; every one of them prepares.

    Raises:
        ValueError: `epochs`, `accumulate` or `steps_per_epoch` is below 1.
        SpecError: the device does not have the strategy's precision.
        ResourceError: the plan wants compiled code, and there is no compiler.
    """
    counted = {"epochs": plan.epochs, "accumulate": plan.accumulate, "steps_per_epoch": steps_per_epoch}
    for name, value in counted.items():
        if value < 1:
            raise ValueError(f"{name} is {value}, but must be >= 1")
    wants_bf16(plan.strategy.precision, torch.device(plan.device))
    if plan.num_threads is not None:
        torch.set_num_threads(plan.num_threads)
    adapted.model.to(torch.device(plan.device))
    adapted.follow_weights()
    network = world.data_parallel(adapted.model, rests=not isinstance(plan.strategy.unfreeze, AtOnce))
    return Session(
        adapted=adapted,
        parallel=network,
        forward=compiled(network) if plan.compile else network,
        plan=plan,
        optimizer=build_optimizer(plan.strategy.optimizer, adapted.groups),
        loss=loss,
        steps_per_epoch=steps_per_epoch,
        clock=clock or SystemClock(),
        world=world,
        average=WeightAverage(adapted.model, plan.strategy.ema) if plan.strategy.ema else None,
    )


def train(
    session: Session,
    train_batches: TrainingBatches,
    evaluate: Evaluate | None,
    on_epoch: OnEpoch | None = None,
    augmenter: Any = None,
    train_one: TrainEpoch | None = None,
) -> TrainingOutcome:
    """Train until the plan's last epoch, or until something ends it; a resumed session goes on where it was.

    Every rank of the session's world calls this, and all return alike.

    Args:
        session: from `prepare`; holds all state that changes.
        train_batches: asked for ``epoch(seed, epoch, augmenter, first)``, epochs counted from 1, batches from 0.
        evaluate: metrics of the model on validation data, by plain names (``accuracy``); they are reported as
            ``val/accuracy``. None when there is no validation data: then the last epoch is the best one. Called on
            every rank; what rank 0 says counts.
        on_epoch: called after each epoch; False ends training (status STOPPED), an exception passes through. With
            several ranks, rank 0's answer counts, and the others need none.
        augmenter: handed to the batches as it is.
        train_one: trains an epoch in place of `train_epoch`; the same on every rank.

    Returns:
        How it ended and the best epoch. COMPLETED if all epochs were trained or patience ran out, NON_FINITE if a
        loss or metric was NaN or infinite on any rank; an infinite loss ends training before it reaches the weights.
    """
    while session.epochs_done < session.plan.epochs and not session.out_of_patience:
        started = session.clock.elapsed()
        epoch = session.epochs_done + 1
        lr = session.current_lr
        with torch.random.fork_rng(devices=session.cuda_devices):
            batches = train_batches.epoch(session.plan.seed, epoch, augmenter, session.partial.steps)
            ending = (train_one or train_epoch)(session, batches)
        if ending:
            return session.outcome(*ending)
        metrics = _metrics(session, evaluate)
        if broken := [name for name, value in metrics.items() if not math.isfinite(value)]:
            reason = f"{broken[0]} is {metrics[broken[0]]} after epoch {epoch}; try a smaller lr"
            return session.outcome(TrainingStatus.NON_FINITE, reason)
        session.finish_epoch(metrics)
        result = EpochResult(epoch, metrics, lr, session.clock.elapsed() - started)
        if session.world.broadcast(on_epoch is not None and on_epoch(result) is False):
            return session.outcome(TrainingStatus.STOPPED, f"stopped from outside after epoch {epoch}")
    impatient = f"{session.plan.selected_by} did not improve for {session.plan.patience} epochs"
    return session.outcome(TrainingStatus.COMPLETED, impatient if session.out_of_patience else "")


def train_epoch(
    session: Session,
    batches: Iterable[TrainingBatch],
    on_step: OnStep | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Ending | None:
    """Train to the end of the next epoch; `train` does this, and what belongs between epochs.

    Args:
        session: from `prepare`.
        batches: of the epoch, from the first that is missing.
        on_step: called after each step with the epoch and its steps so far; False ends training there (status STOPPED),
            in the middle of the epoch. All ranks have to answer alike.
        should_stop: asked once in each step, on rank 0 only; True ends training (status STOPPED) on all ranks after
            that step.

    Returns:
        Why the end of the epoch was not reached; None if it was.
    """
    epoch = session.epochs_done + 1
    session.model.train()
    for batch in batches:
        session.seed_step()
        session.begin_step()
        loss_sum, stop = _step(session, batch, should_stop)
        total, place = batch.total, f"epoch {epoch}, step {session.partial.steps + 1}"
        if not math.isfinite(loss_sum):
            return TrainingStatus.NON_FINITE, f"loss is {loss_sum / total} in {place}; try a smaller lr"
        session.partial = session.partial.plus(total, loss_sum)
        stop |= on_step is not None and on_step(epoch, session.partial.steps) is False
        if stop:
            return TrainingStatus.STOPPED, f"stopped from outside after {place}"
    if not session.partial.samples:
        raise ValueError(f"epoch {epoch} has no batch, but must have at least one")
    return None


def _step(session: Session, batch: TrainingBatch, should_stop: Callable[[], bool] | None) -> tuple[float, bool]:
    """Sum of the losses of the whole batch, and whether rank 0 wants to stop; an infinite sum moves no weight."""
    loss_sum, stop = _gradients(session, batch, should_stop)
    if session.plan.strategy.sam and math.isfinite(loss_sum):
        with at_the_sharpest(session):
            highest, _ = _gradients(session, batch, None)
        loss_sum = loss_sum if math.isfinite(highest) else highest
    if math.isfinite(loss_sum):
        move_weights(session)
    return loss_sum, stop


def _gradients(session: Session, batch: TrainingBatch, should_stop: Callable[[], bool] | None) -> tuple[float, bool]:
    """Leave the gradients of the whole batch, unless the sum of its losses, which is returned, is infinite."""
    world, total = session.world, batch.total
    session.optimizer.zero_grad(set_to_none=True)
    *earlier, last = _micro_batches(session, batch)
    own_sum = own_extra = 0.0
    for part in earlier:
        with world.without_exchange(session.parallel):
            losses = _losses(session, part)
            own_sum, own_extra = own_sum + losses.loss, own_extra + losses.extra
            _backward(losses.minimised, len(part.targets) * world.size / total)
    losses = _losses(session, last)
    own_sum, own_extra = own_sum + losses.loss, own_extra + losses.extra
    wish = should_stop is not None and world.rank == 0 and should_stop()
    # before the gradients are exchanged: a rank that left alone would leave the others waiting
    loss_sum, extra, wishes = world.sum([own_sum, own_extra, float(wish)])
    if not math.isfinite(extra):
        loss_sum = extra
    if math.isfinite(loss_sum):
        _backward(losses.minimised, len(last.targets) * world.size / total)
    return loss_sum, wishes > 0


def _micro_batches(session: Session, batch: TrainingBatch) -> list[TrainingBatch]:
    """As many parts of this rank's part on every rank, so that what they do together pairs up."""
    fewest = batch.total // session.world.size
    count = min(session.plan.accumulate, max(1, fewest // 2))
    if count == 1:
        return [batch]
    weights = [None] * count if batch.weights is None else batch.weights.tensor_split(count)
    parts = zip(batch.inputs.split(count), batch.targets.tensor_split(count), weights, strict=True)
    return [TrainingBatch(inputs, targets, batch.total, own) for inputs, targets, own in parts]


class _Losses(NamedTuple):
    """Of a part of a batch: what is differentiated, the sum of its samples' losses, and that of what is beside them."""

    minimised: Tensor
    loss: float
    extra: float


def _losses(session: Session, part: TrainingBatch) -> _Losses:
    precision, penalty = session.plan.strategy.precision, session.adapted.activation_penalty
    watched = nullcontext() if penalty is None else watching(session.model.network, penalty.blocks)
    with watched as seen, session.batch_norm(), autocast(precision, session.device):
        outputs = session.forward(part.inputs)
    weights = () if part.weights is None else (part.weights,)
    loss, count = session.loss(outputs, part.targets, *weights), len(part.targets)
    if penalty is None or seen is None:
        return _Losses(loss, loss.item() * count, 0.0)
    targets, share = part.targets, 1.0
    if getattr(session.plan.strategy.penalty, "compares", False):
        seen.features, targets = of_all_ranks(seen.pooled, part, session.world)
        share = len(targets) / count  # what `_backward` takes off a part: each rank has the loss of all
    with autocast(precision, session.device):
        term = penalty.term(part.inputs, targets, seen) * share
    return _Losses(loss + term, loss.item() * count, term.item() * count)


def _backward(loss: Tensor, share: float) -> None:
    """Gradients of a mean loss, by its share in the mean over the batch; times the ranks, which are averaged over."""
    (loss if share == 1 else loss * share).backward()  # type: ignore[no-untyped-call]


def _metrics(session: Session, evaluate: Evaluate | None) -> dict[str, float]:
    """What an epoch gave, the same on all ranks."""
    session.average_statistics()
    with session.as_judged():
        found = evaluate(session.model) if evaluate else {}
    return session.world.broadcast(
        {"train/loss": session.partial.loss} | {f"val/{name}": value for name, value in found.items()}
    )
