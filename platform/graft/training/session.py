"""One training in progress: everything that changes while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from graft.core.clock import Clock
from graft.training.checkpoint import TrainingState
from graft.training.losses import LossFunction
from graft.training.optimizer import load_optimizer_state, optimizer_state
from graft.training.plan import TrainingOutcome, TrainingPlan, TrainingStatus
from graft.training.schedule import lr_factor
from graft.transfer.adapt import Adapted
from graft.transfer.freezing import AdaptedModel


@dataclass
class Session:
    """A training in progress: made by `prepare`, moved by `train`, saved by `state`, continued by `load`."""

    adapted: Adapted
    plan: TrainingPlan
    optimizer: torch.optim.Optimizer
    loss: LossFunction
    steps_per_epoch: int
    clock: Clock
    epochs_done: int = 0
    best_epoch: int | None = None
    best_metrics: Mapping[str, float] = field(default_factory=dict)
    best_state: dict[str, Tensor] = field(default_factory=dict)

    @property
    def model(self) -> AdaptedModel:
        return self.adapted.model

    @property
    def device(self) -> torch.device:
        return torch.device(self.plan.device)

    @property
    def cuda_devices(self) -> list[torch.device]:
        """Devices whose random state an epoch uses, beside the CPU."""
        return [self.device] if self.device.type == "cuda" else []

    @property
    def first_step(self) -> int:
        """Index, over the whole training, of the next epoch's first step."""
        return self.epochs_done * self.steps_per_epoch

    @property
    def current_lr(self) -> float:
        """Learning rate of the first parameter group at the next step."""
        lr: float = self.adapted.groups[0]["lr"]
        return lr * self._factor(self.first_step)

    @property
    def out_of_patience(self) -> bool:
        """Whether the plan's patience ended training before its last epoch."""
        patience, best = self.plan.patience, self.best_epoch
        if self.epochs_done >= self.plan.epochs:
            return False
        return patience is not None and best is not None and self.epochs_done - best >= patience

    def set_lr(self, step: int) -> None:
        """Set the learning rate of every group for a step counted over the whole training."""
        factor = self._factor(step)
        for live, group in zip(self.optimizer.param_groups, self.adapted.groups, strict=True):
            live["lr"] = group["lr"] * factor

    def finish_epoch(self, metrics: Mapping[str, float]) -> None:
        """Count an epoch, and keep a copy of the model if it is the best so far (the first of equals stays).

        Raises:
            ValueError: there are validation metrics, but not the one the plan selects by.
        """
        self.epochs_done += 1
        if not self._improves(metrics):
            return
        self.best_epoch, self.best_metrics = self.epochs_done, dict(metrics)
        self.best_state = _copies(self.model.changing_state())

    def restore_best(self) -> None:
        """Put the best epoch's weights into the model; does nothing before the first epoch."""
        if self.best_epoch is not None:
            self.model.load_changing_state(self.best_state)

    def outcome(self, status: TrainingStatus, reason: str) -> TrainingOutcome:
        return TrainingOutcome(status, reason, self.epochs_done, self.best_epoch, self.best_metrics, self.best_state)

    def state(self) -> TrainingState:
        """A copy of everything that changes, as of the last whole epoch; `save_state` writes it.

        Take it between epochs only, as in `on_epoch`.
        """
        parts = {
            "model": self.model.changing_state(),
            "best": self.best_state,
            "optimizer": optimizer_state(self.optimizer),
            "penalty": self.adapted.penalty.state_dict(),
        }
        tensors = {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        return TrainingState(self.epochs_done, self.best_epoch, dict(self.best_metrics), _copies(tensors))

    def load(self, state: TrainingState) -> None:
        """Go on from a state. Learning rates and all else that the strategy sets stay this session's own.

        Raises:
            ArtifactError: the state belongs to another model or strategy.
        """
        self.model.load_changing_state(state.part("model"))
        self.adapted.penalty.load_state_dict(state.part("penalty"))
        load_optimizer_state(self.optimizer, state.part("optimizer"))
        self.best_state = {name: tensor.to(self.device) for name, tensor in state.part("best").items()}
        self.epochs_done, self.best_epoch = state.epochs_done, state.best_epoch
        self.best_metrics = dict(state.best_metrics)

    def _factor(self, step: int) -> float:
        return lr_factor(self.plan.strategy.schedule, step, self.plan.epochs * self.steps_per_epoch)

    def _improves(self, metrics: Mapping[str, float]) -> bool:
        if not any(name.startswith("val/") for name in metrics):
            return True
        if self.plan.selected_by not in metrics:
            known = ", ".join(sorted(metrics))
            raise ValueError(f"{self.plan.selected_by} is not reported, but must be one of {known}")
        if self.best_epoch is None:
            return True
        new, old = metrics[self.plan.selected_by], self.best_metrics[self.plan.selected_by]
        return new > old if self.plan.mode == "max" else new < old


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
