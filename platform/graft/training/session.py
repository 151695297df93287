"""One training in progress: everything that changes while it runs."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from graft.core.clock import Clock
from graft.core.errors import ArtifactError
from graft.core.seeds import derive_seed
from graft.spec.registry import build
from graft.tasks.protocol import LossFunction
from graft.training.batch_norm import global_batch_norm
from graft.training.checkpoint import TrainingState
from graft.training.compiled import Forward
from graft.training.optimizer import load_optimizer_state, lr_factor, optimizer_state
from graft.training.plan import PartialEpoch, TrainingOutcome, TrainingPlan, TrainingStatus
from graft.training.steps.average import WeightAverage
from graft.training.world import World
from graft.transfer.adapt import Adapted
from graft.transfer.freezing import AdaptedModel
from graft.transfer.stochastic import stochastic_norm
from graft.transfer.unfreezing import Moment, Phase


@dataclass
class Session:
    """A training in progress: made by `prepare`, moved by `train`, saved by `state`, continued by `load`.

    With several ranks each has its own, and all of them are in the same state at the end of every epoch.

    Attributes:
        adapted: the model and what belongs to it.
        parallel: the model as training calls it; gradients are exchanged behind it.
        forward: its forward pass in training, compiled if the plan says so.
        plan: what to do.
        optimizer: over the trainable parameters.
        loss: what is minimised.
        steps_per_epoch: batches of an epoch.
        clock: for the seconds in reports.
        world: the ranks.
        average: of the weights; None where the strategy keeps none.
        epochs_done: whole epochs, over all of the lineage that these weights have.
        partial: how far the epoch after them has come.
        best_epoch: 1-based epoch of the best state so far, or None.
        best_metrics: its metrics.
        best_state: its weights, by names of the network.
    """

    adapted: Adapted
    parallel: nn.Module
    forward: Forward
    plan: TrainingPlan
    optimizer: torch.optim.Optimizer
    loss: LossFunction
    steps_per_epoch: int
    clock: Clock
    world: World
    average: WeightAverage | None = None
    epochs_done: int = 0
    partial: PartialEpoch = field(default_factory=PartialEpoch)
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
        """Index, over the whole training, of the first step of the epoch that is next or under way."""
        return self.epochs_done * self.steps_per_epoch

    @property
    def step_seed(self) -> int:
        """What torch's global state starts from at the next step; ranks draw different numbers."""
        own = (self.world.rank,) if self.world.rank else ()
        return derive_seed(self.plan.seed, "step", self.epochs_done + 1, self.partial.steps, *own)

    @property
    def current_lr(self) -> float:
        """Learning rate at the first step of the epoch: of the backbone at its top, or of the head if that is alone."""
        phase = self._phase(self.first_step)
        trained = [group for group in self.adapted.groups if not _is_held(group, phase)]
        top = [group for group in trained if group["name"].startswith("backbone")][-1:]
        return self._lr((top or trained)[0], phase, self.first_step)

    @property
    def out_of_patience(self) -> bool:
        """Whether the plan's patience ended training before its last epoch."""
        patience, best = self.plan.patience, self.best_epoch
        if self.epochs_done >= self.plan.epochs:
            return False
        return patience is not None and best is not None and self.epochs_done - best >= patience

    def batch_norm(self) -> AbstractContextManager[object]:
        """A context for the forward pass, in which batch norm sees what plan and strategy say; entered at once."""
        seen = ExitStack()
        if self.plan.sync_batch_norm and self.world.size > 1:
            seen.enter_context(global_batch_norm(self.world))
        if self.plan.strategy.stochastic_norm:
            seen.enter_context(stochastic_norm(self.plan.strategy.stochastic_norm))
        return seen

    def seed_step(self) -> None:
        """Seed torch's global state, on the CPU and on the session's device, for the next step."""
        # torch.manual_seed would also note the whole call stack at every step, for GPUs that may be started later
        torch.default_generator.manual_seed(self.step_seed)
        if self.device.type == "cuda":
            index = torch.cuda.current_device() if self.device.index is None else self.device.index
            torch.cuda.default_generators[index].manual_seed(self.step_seed)

    def begin_step(self) -> None:
        """Let those blocks train that are to train in the next step, and set the learning rate of every group."""
        step = self.first_step + self.partial.steps
        phase = self._phase(step)
        self.model.hold(phase.held)
        for live, group in zip(self.optimizer.param_groups, self.adapted.groups, strict=True):
            live["lr"] = self._lr(group, phase, step)

    def average_statistics(self) -> None:
        """Put the mean over the ranks into all floating buffers: each has seen its own part of the batches."""
        parameters = {name for name, _ in self.model.network.named_parameters()}
        averaged = self.average.state() if self.average else {}
        changing = [*self.model.changing_state().items(), *averaged.items()]
        self.world.average_(t for name, t in changing if name not in parameters and t.is_floating_point())

    def as_judged(self) -> AbstractContextManager[None]:
        """A context in which the model has the weights that are judged and kept: their average, where there is one."""
        return self.average.in_place() if self.average else nullcontext()

    def finish_epoch(self, metrics: Mapping[str, float]) -> None:
        """Count an epoch, and keep a copy of the model if it is the best so far (the first of equals stays).

        Raises:
            ValueError: there are validation metrics, but not the one the plan selects by.
        """
        self.epochs_done += 1
        self.partial = PartialEpoch()
        if not self._improves(metrics):
            return
        self.best_epoch, self.best_metrics = self.epochs_done, dict(metrics)
        with self.as_judged():
            self.best_state = _copies(self.model.changing_state())

    def restore_best(self) -> None:
        """Put the best epoch's weights into the model; does nothing before the first epoch.

        Raises:
            ValueError: the best epoch was trained with more frozen than was trained since, so that its weights are no
                longer all there; build the model anew and load them into that.
        """
        if self.best_epoch is None:
            return
        if missing := self._missing(self.best_state):
            raise ValueError(
                f"the best epoch's weights lack {len(missing)} tensors that were trained since (`{min(missing)}`), "
                "so they must go into a model that was built anew"
            )
        self.model.load_changing_state(self.best_state)

    def outcome(self, status: TrainingStatus, reason: str) -> TrainingOutcome:
        return TrainingOutcome(status, reason, self.epochs_done, self.best_epoch, self.best_metrics, self.best_state)

    def state(self, with_best: bool = True) -> TrainingState:
        """A copy of everything that changes, as of the last step; `save_state` writes it.

        Take it in `on_epoch` or `on_step`, on any rank. In the middle of an epoch, running statistics of batch norm are
        this rank's own, unless they are synchronised.

        Args:
            with_best: whether the best epoch is in it; leave it out where that is kept elsewhere.
        """
        parts = {"model": self.model.changing_state(), "optimizer": optimizer_state(self.optimizer)}
        if self.average:
            parts["average"] = self.average.state()
        if with_best:
            parts["best"] = self.best_state
        tensors = {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        return TrainingState(
            epochs_done=self.epochs_done,
            best_epoch=self.best_epoch if with_best else None,
            best_metrics=dict(self.best_metrics) if with_best else {},
            tensors=_copies(tensors),
            partial=self.partial,
            batch_size=self.plan.strategy.batch_size,
        )

    def best(self) -> TrainingState:
        """The best epoch alone, for `adopt_best` or to build the final model from; not copied, as it never changes."""
        tensors = {f"best/{name}": tensor for name, tensor in self.best_state.items()}
        return TrainingState(self.epochs_done, self.best_epoch, dict(self.best_metrics), tensors)

    def load(self, state: TrainingState) -> None:
        """Go on with the weights of a state, under this session's own strategy.

        Weights, moments of the optimiser and the count of epochs come from the state, the best epoch only if the state
        has one. Learning rates, decay, penalty, dropout, loss, augmentation and what is frozen are this session's: the
        state may come from a strategy in which they differed. What is trained here but was frozen there starts from
        its pretrained values without moments; what is frozen here but was trained there stays as it was trained.

        Every rank loads the same state.

        Raises:
            ArtifactError: the state belongs to another architecture or kind of optimiser, or stands in the middle of an
                epoch of another batch size.
            ValueError: this session has trained with more unfrozen than the state; build a new one.
        """
        self._require_fit(state)
        self.model.load_changing_state(state.part("model"))
        frozen = {name for name, parameter in self.model.network.named_parameters() if not parameter.requires_grad}
        load_optimizer_state(self.optimizer, state.part("optimizer"), frozen)
        if self.average:
            self.average.load(state.part("average"))
        self.epochs_done, self.partial = state.epochs_done, state.partial
        if state.best_epoch is not None:
            self.adopt_best(state)

    def adopt_best(self, state: TrainingState | None) -> None:
        """Take a state's best epoch, with its metrics and weights, as the one to beat; None is to have none yet."""
        self.best_epoch = state.best_epoch if state else None
        self.best_metrics = dict(state.best_metrics) if state else {}
        best = state.part("best") if state else {}
        self.best_state = {name: tensor.to(self.device) for name, tensor in best.items()}

    def _require_fit(self, state: TrainingState) -> None:
        missing = self._missing(state.part("model"))
        if state.partial.steps and state.batch_size != self.plan.strategy.batch_size:
            raise ArtifactError(
                f"training state stands in the middle of an epoch of batches of {state.batch_size}, but must have "
                f"batches of {self.plan.strategy.batch_size}; take a state from the end of an epoch"
            )
        if redrawn := missing & self.adapted.redrawn:
            raise ArtifactError(
                f"training state lacks `{min(redrawn)}`, but must hold all that strategy.init draws again; "
                "start this training again"
            )
        if missing and (self.epochs_done or self.partial.steps):
            raise ValueError(
                f"this session has trained `{min(missing)}`, which the state lacks; load it into a new session"
            )

    def _missing(self, state: Mapping[str, Tensor]) -> set[str]:
        return self.model.changing_state().keys() - state.keys()

    def _phase(self, step: int) -> Phase:
        adapted = self.adapted
        moment = Moment(step, self.steps_per_epoch, self.plan.epochs, adapted.cut, adapted.stop)
        phase: Phase = build(self.plan.strategy.unfreeze, moment)
        return phase

    def _lr(self, group: Mapping[str, Any], phase: Phase, step: int) -> float:
        joined = group["depth"] is not None and group["depth"] <= self.adapted.stop
        lr: float = group["lr"] * self._factor(step)
        return lr * phase.factor if joined else lr

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


def _is_held(group: Mapping[str, Any], phase: Phase) -> bool:
    return group["depth"] is not None and group["depth"] <= phase.held > 0


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
