"""What a trial drives: something that is trained epoch by epoch, scored after each, saved and continued.

Scheduler, journal, resume, populations and MLflow know epochs, metrics and states only. So whatever keeps this protocol
can be searched: supervised learning (`graft.learner.supervised`), a policy whose epoch is a number of environment
steps, an outer loop of meta-training.
"""

from collections.abc import Mapping
from typing import Protocol

from graft.core.heartbeat import Watch, unwatched
from graft.spec.strategy import Strategy
from graft.training.checkpoint import TrainingState
from graft.training.loop import OnEpoch, TrainEpoch, TrainingOutcome
from graft.training.world import World


class Learner(Protocol):
    """One model in training."""

    @property
    def epochs_done(self) -> int:
        """Whole epochs behind it, over all of the lineage of its weights."""

    @property
    def best_epoch(self) -> int | None:
        """The best of them by the job's metric, from 1; None before the first."""

    @property
    def current_lr(self) -> float:
        """Learning rate at the next step."""

    @property
    def device(self) -> str:
        """Where it is trained, as torch names it."""

    @property
    def note(self) -> str:
        """What the user should know of it, said once; empty for nothing."""

    @property
    def facts(self) -> Mapping[str, float]:
        """Metrics that do not change while it is trained; they come with the first report."""

    def plan_epochs(self, epochs: int) -> int:
        """Train so many epochs in all, and stretch all schedules over them; every rank calls this alike.

        Returns:
            The epochs that it trains from now on: as many as before where it cannot change them just then.
        """

    def train(self, on_epoch: OnEpoch | None, validate: bool, train_one: TrainEpoch | None = None) -> TrainingOutcome:
        """Train to the end of the plan, or until something ends it; every rank calls this, and all return alike.

        Args:
            on_epoch: called after each epoch; False ends the training.
            validate: whether each epoch is scored on held-out samples, under ``val/<metric>``.
            train_one: trains an epoch in place of the learner's own loop.
        """

    def validation(self) -> Mapping[str, float]:
        """The validation metrics of the model as it stands, on every rank."""

    def load(self, state: TrainingState) -> None:
        """Go on from a state; the hyperparameters stay the learner's own."""

    def adopt_best(self, state: TrainingState | None) -> None:
        """Take a state's best epoch as the one to beat; None is to have none yet."""

    def state(self, with_best: bool = True) -> TrainingState:
        """Everything that changes, copied."""

    def best(self) -> TrainingState:
        """The best epoch alone."""


class LearnerFactory(Protocol):
    """Makes the learner of a strategy, in the process that trains it; picklable."""

    def __call__(self, strategy: Strategy, world: World, watch: Watch = unwatched) -> Learner:
        """A learner at its start.

        Args:
            strategy: how it is adapted.
            world: the processes that train together; each calls this.
            watch: what all that takes long goes through, batch by batch, so that a process that hangs is noticed.

        Raises:
            SpecError: the strategy cannot be built.
            ArtifactError: the pretrained weights are missing or do not fit.
        """
