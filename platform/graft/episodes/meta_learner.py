"""Meta-training as a learner: epochs of steps over tasks, scored on held-out tasks, saved and continued bit for bit."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic

import numpy as np
import torch
from torch import Tensor

from graft.core.heartbeat import Watch, unwatched
from graft.core.seeds import derive_seed
from graft.episodes.evaluator import Score, evaluate
from graft.episodes.guard import require_unwrapped
from graft.episodes.objective import MetaLoss
from graft.episodes.task_source import TaskSource
from graft.spec.components.optimizer import AdamW
from graft.spec.components.schedule import Cosine
from graft.training.checkpoint import TrainingState
from graft.training.loop import EpochResult, OnEpoch, TrainEpoch, TrainingOutcome, TrainingStatus
from graft.training.optimizer import build_optimizer, load_optimizer_state, lr_factor, optimizer_state
from graft.training.world import ALONE, World

SETTLED_ON = 4000
"""Training samples whose moments become the fixed ones."""
_SELECTED_BY = "val/accuracy"


@dataclass(frozen=True)
class MetaPlan:
    """How long, and how.

    Attributes:
        epochs: at most.
        steps: of an epoch.
        tasks: of a step, over all ranks.
        lr: at its peak; it falls to zero along a cosine.
        weight_decay: decoupled.
        clip_norm: of the gradient of all weights together.
        seed: of torch's global state; tasks have the seed of their source.
        patience: epochs without a better one on held-out tasks after which training ends.
        episodes: held-out tasks that an epoch is scored on.
    """

    epochs: int = 20
    steps: int = 100
    tasks: int = 1
    lr: float = 1e-3
    weight_decay: float = 1e-3
    clip_norm: float = 10.0
    seed: int = 0
    patience: int | None = 5
    episodes: int = 200


@dataclass
class MetaLearner:
    """A meta-training in progress (`graft.learner.protocol.Learner`).

    Every rank draws its own part of the tasks of each step; the gradient is the mean over all of them. It can be
    continued from the end of any epoch, and gives the same as if it had never stopped.

    Attributes:
        loss: start, adapter and what is minimised.
        source: tasks that are trained on.
        held_out: tasks of other classes that epochs are judged by; None keeps the last epoch.
        plan: what to do.
        world: the ranks.
        watch: what steps go through.
    """

    loss: MetaLoss
    source: TaskSource
    held_out: TaskSource | None
    plan: MetaPlan = MetaPlan()
    world: World = ALONE
    watch: Watch = unwatched
    epochs_done: int = 0
    best_epoch: int | None = None
    best_metrics: Mapping[str, float] = field(default_factory=dict)
    best_state: dict[str, Tensor] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        if self.plan.tasks % self.world.size:
            raise ValueError(f"tasks is {self.plan.tasks}, but must be a multiple of the {self.world.size} ranks")
        require_unwrapped(self.loss)  # what was wrapped by somebody else has a gradient that no rank would share
        settle(self.loss, self.source)
        named = [(name, one) for name, one in self.loss.named_parameters() if one.requires_grad]
        group = {
            "name": "meta",
            "params": [one for _, one in named],
            "names": [name for name, _ in named],
            "lr": self.plan.lr,
            "weight_decay": self.plan.weight_decay,
        }
        self._optimizer = build_optimizer(AdamW(), [group])
        self._forward = self.world.data_parallel(self.loss)

    @property
    def current_lr(self) -> float:
        """Learning rate at the next step."""
        return self._lr(self.epochs_done * self.plan.steps)

    @property
    def device(self) -> str:
        """The CPU: tasks are small."""
        return "cpu"

    @property
    def facts(self) -> Mapping[str, float]:
        """How many weights are meta-learned."""
        return {"model/trainable_params": float(sum(one.numel() for one in self._trained()))}

    def plan_epochs(self, epochs: int) -> int:
        """Train so many in all."""
        self.plan = replace(self.plan, epochs=epochs)
        return epochs

    def train(self, on_epoch: OnEpoch | None, validate: bool, train_one: TrainEpoch | None = None) -> TrainingOutcome:
        """Train to the end of the plan, or until held-out tasks gain no more."""
        while self.epochs_done < self.plan.epochs and not self._is_out_of_patience:
            began, lr, epoch = monotonic(), self.current_lr, self.epochs_done + 1
            loss = self._epoch()
            if not math.isfinite(loss):
                return self._outcome(TrainingStatus.NON_FINITE, f"loss is {loss} in epoch {epoch}; try a smaller lr")
            settle(self.loss, self.source)
            scored = {f"val/{name}": one for name, one in self.validation().items()} if validate else {}
            metrics = {"train/loss": loss, **scored}
            self._finish(metrics)
            result = EpochResult(epoch, metrics, lr, monotonic() - began)
            if self.world.broadcast(on_epoch is not None and on_epoch(result) is False):
                return self._outcome(TrainingStatus.STOPPED, f"stopped from outside after epoch {epoch}")
        waited = f"accuracy on held-out tasks did not improve for {self.plan.patience} epochs"
        return self._outcome(TrainingStatus.COMPLETED, waited if self._is_out_of_patience else "")

    def validation(self) -> Mapping[str, float]:
        """Accuracy on held-out tasks, and half the width of its interval."""
        if self.held_out is None:
            return {}
        score = self.score(self.held_out, self.plan.episodes)
        return {"accuracy": score.accuracy, "half_width": score.half_width}

    def score(self, tasks: TaskSource, episodes: int) -> Score:
        """The model as it stands, on some tasks."""
        return evaluate(self.loss.start, self.loss.adapter, tasks, episodes)

    def load(self, state: TrainingState) -> None:
        """Go on from a state."""
        self.loss.load_state_dict(state.part("model"))
        load_optimizer_state(self._optimizer, state.part("optimizer"))
        self.epochs_done = state.epochs_done
        if state.best_epoch is not None:
            self.adopt_best(state)

    def adopt_best(self, state: TrainingState | None) -> None:
        """Take a state's best epoch as the one to beat."""
        self.best_epoch = state.best_epoch if state else None
        self.best_metrics = dict(state.best_metrics) if state else {}
        self.best_state = state.part("best") if state else {}

    def restore_best(self) -> None:
        """Put the weights of the best epoch into the model; does nothing before the first."""
        if self.best_state:
            self.loss.load_state_dict(self.best_state)

    def state(self, with_best: bool = True) -> TrainingState:
        """Everything that changes, copied."""
        parts = {"model": self.loss.state_dict(), "optimizer": optimizer_state(self._optimizer)}
        if with_best:
            parts["best"] = self.best_state
        tensors = {f"{part}/{name}": one for part, named in parts.items() for name, one in named.items()}
        best = self.best_epoch if with_best else None
        return TrainingState(
            self.epochs_done, best, dict(self.best_metrics) if with_best else {}, _copies(tensors), batch_size=0
        )

    def best(self) -> TrainingState:
        """The best epoch alone."""
        tensors = {f"best/{name}": one for name, one in self.best_state.items()}
        return TrainingState(self.epochs_done, self.best_epoch, dict(self.best_metrics), tensors)

    def _epoch(self) -> float:
        """Mean loss of the tasks of an epoch, over all ranks; not finite as soon as one step is not."""
        self.loss.train()
        total = 0.0
        with torch.random.fork_rng(devices=[]):
            for step in self.watch(self._steps()):
                total += self._step(step)
                if not math.isfinite(total):
                    return total
        return total / self.plan.steps

    def _steps(self) -> Iterator[int]:
        first = self.epochs_done * self.plan.steps
        yield from range(first, first + self.plan.steps)

    def _step(self, step: int) -> float:
        own = self.plan.tasks // self.world.size
        torch.default_generator.manual_seed(derive_seed(self.plan.seed, "step", step, self.world.rank))
        for group in self._optimizer.param_groups:
            group["lr"] = self._lr(step)
        self._optimizer.zero_grad()
        loss = self._forward(self.source.batch(step, own, self.world.rank * own))
        loss.backward()
        mean = self.world.sum([float(loss.detach())])[0] / self.world.size
        if math.isfinite(mean):
            torch.nn.utils.clip_grad_norm_(self._trained(), self.plan.clip_norm)
            self._optimizer.step()
        return mean

    def _lr(self, step: int) -> float:
        return self.plan.lr * lr_factor(Cosine(), step, self.plan.epochs * self.plan.steps)

    def _trained(self) -> list[Tensor]:
        return [one for one in self.loss.parameters() if one.requires_grad]

    @property
    def _is_out_of_patience(self) -> bool:
        patience, best = self.plan.patience, self.best_epoch
        is_waiting = patience is not None and best is not None and self.epochs_done < self.plan.epochs
        return is_waiting and self.epochs_done - best >= patience  # type: ignore[operator]

    def _finish(self, metrics: Mapping[str, float]) -> None:
        self.epochs_done += 1
        new, old = metrics.get(_SELECTED_BY), self.best_metrics.get(_SELECTED_BY)
        if new is None or old is None or new > old:
            self.best_epoch, self.best_metrics = self.epochs_done, dict(metrics)
            self.best_state = _copies(self.loss.state_dict())

    def _outcome(self, status: TrainingStatus, reason: str) -> TrainingOutcome:
        return TrainingOutcome(status, reason, self.epochs_done, self.best_epoch, self.best_metrics, self.best_state)


def settle(loss: MetaLoss, source: TaskSource) -> None:
    """Fix the moments of a start to those of training samples, drawn by the seed of their source."""
    rng = np.random.default_rng(derive_seed(source.seed, "settled on"))
    count = len(source.samples)
    rows = np.sort(rng.choice(count, min(count, SETTLED_ON), replace=False))
    was_training = loss.training
    loss.eval()
    loss.start.settle(source.samples.at(rows))
    loss.train(was_training)


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: one.detach().clone() for name, one in tensors.items()}
