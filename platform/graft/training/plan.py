"""What a training is to do, what it reports, and how it ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from torch import Tensor

from graft.spec.strategy import Strategy


@dataclass(frozen=True)
class TrainingPlan:
    """What to train and how the best epoch is chosen.

    Attributes:
        strategy: the one that `adapt` was given.
        epochs: passes over the training data; also what the learning-rate schedule is stretched over.
        seed: root of all randomness.
        metric: plain name of the validation metric that chooses the best epoch.
        mode: whether more or less of it is better.
        patience: epochs without improvement after which training ends; None never ends it early.
        device: torch device.
        num_threads: torch threads of this process from now on; None leaves them as they are.
        accumulate: gradient accumulation steps: micro-batches that a process computes its part of a batch in, to save
            memory; fewer where they would have less than two samples. Without batch norm and dropout the gradient is
            that of the whole batch.
        sync_batch_norm: whether batch norm takes its statistics over the processes together; else each normalises its
            own part, and running statistics are averaged after every epoch.
        compile: whether the forward and backward passes are compiled first.
    """

    strategy: Strategy
    epochs: int
    seed: int
    metric: str = "accuracy"
    mode: Literal["max", "min"] = "max"
    patience: int | None = None
    device: str = "cpu"
    num_threads: int | None = None
    accumulate: int = 1
    sync_batch_norm: bool = False
    compile: bool = False

    @property
    def selected_by(self) -> str:
        """Reported name of the metric that chooses the best epoch."""
        return f"val/{self.metric}"


@dataclass(frozen=True)
class EpochResult:
    """What one epoch gave.

    Attributes:
        epoch: 1-based.
        metrics: ``train/loss`` (without penalties) and ``val/<metric>``; all finite.
        lr: learning rate of the backbone (of the head, if that is all that learns) at the first step of the epoch.
        seconds: training and evaluation together.
    """

    epoch: int
    metrics: Mapping[str, float]
    lr: float
    seconds: float


@dataclass(frozen=True)
class PartialEpoch:
    """How far an epoch has come.

    Attributes:
        steps: optimiser steps taken in it.
        samples: samples they had, over all processes.
        loss_sum: sum of the losses of these samples.
    """

    steps: int = 0
    samples: int = 0
    loss_sum: float = 0.0

    @property
    def loss(self) -> float:
        """Mean loss of the samples so far; there must be one."""
        return self.loss_sum / self.samples

    def plus(self, samples: int, loss_sum: float) -> "PartialEpoch":
        """With one more step."""
        return PartialEpoch(self.steps + 1, self.samples + samples, self.loss_sum + loss_sum)


class TrainingStatus(Enum):
    """How a training ended."""

    COMPLETED = "completed"
    NON_FINITE = "non_finite"
    STOPPED = "stopped"


@dataclass(frozen=True)
class TrainingOutcome:
    """How a training ended and what it left.

    Attributes:
        status: how.
        reason: one line that says why; empty if all epochs were trained.
        epochs_done: whole epochs.
        best_epoch: 1-based, or None if no epoch was finished.
        best_metrics: metrics of that epoch.
        best_state: what changed in training, as of that epoch, by names of the network; frozen parts are not in it.
    """

    status: TrainingStatus
    reason: str
    epochs_done: int
    best_epoch: int | None
    best_metrics: Mapping[str, float]
    best_state: Mapping[str, Tensor]
