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
    """

    strategy: Strategy
    epochs: int
    seed: int
    metric: str = "accuracy"
    mode: Literal["max", "min"] = "max"
    patience: int | None = None
    device: str = "cpu"
    num_threads: int | None = None

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
        best_state: what changed in training, as of that epoch, by names of the classifier; frozen parts are not in it.
    """

    status: TrainingStatus
    reason: str
    epochs_done: int
    best_epoch: int | None
    best_metrics: Mapping[str, float]
    best_state: Mapping[str, Tensor]
