"""A training that plans its length by the pace it shows.

Its schedules run over the epochs that it plans, so the plan must come early: after a few steps, when the learning rate
has hardly begun to rise. The first whole epoch says more, and may correct it in both directions. From then on a
training only gets shorter, where others have slowed the machine down.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from graft.data.batches import TrainingBatch
from graft.training.loop import Ending, TrainEpoch
from graft.training.session import Session
from graft.training.world import World

# The first step of a process is slower than those that follow; as many are timed.
_FIRST, _TIMED = 1, 3
# The pace is that of so many epochs, the latest ones.
_LATEST = 2


class OwnLength:
    """How many epochs one training plans; every rank has one, and all of them plan the same.

    Args:
        affordable: ``affordable(done, seconds)``: epochs for which there is time, if so many are done and one takes so
            many seconds.
        plan: told of every new plan; returns what is planned from then on.
        epochs: that the training is to have.
        validation: seconds of scoring after an epoch, over those of training it.
        world: the ranks.
    """

    def __init__(
        self,
        affordable: Callable[[float, float], int],
        plan: Callable[[int], int],
        epochs: int,
        validation: float,
        world: World,
    ) -> None:
        self.epochs = self._most = epochs
        self.seconds = 0.0
        self._affordable, self._plan, self._validation, self._world = affordable, plan, validation, world
        self._measured: list[float] = []

    def training(self, train_one: TrainEpoch) -> TrainEpoch:
        """The same, with a plan after the first steps."""

        def train_timed(session: Session, batches: Iterable[TrainingBatch]) -> Ending | None:
            return train_one(session, batches if self._measured else self._timed(session, iter(batches)))

        return train_timed

    def after(self, epoch: int, seconds: float) -> None:
        """Plan again: an epoch has ended, which took so many seconds with its validation."""
        if self._measured:
            self._most = self.epochs
        self._measured.append(seconds)
        latest = self._measured[-_LATEST:]
        self._settle(epoch, sum(latest) / len(latest), least=epoch)

    def _timed(self, session: Session, batches: Iterator[TrainingBatch]) -> Iterator[TrainingBatch]:
        yield from islice(batches, _FIRST)
        began = session.clock.elapsed()
        yield from islice(batches, _TIMED)
        seconds = (session.clock.elapsed() - began) / _TIMED
        for batch in islice(batches, 1):
            done = session.epochs_done + session.partial.steps / session.steps_per_epoch
            whole = seconds * session.steps_per_epoch * (1 + self._validation)
            self._settle(done, whole, least=session.epochs_done + 1)
            yield from chain([batch], batches)

    def _settle(self, done: float, seconds: float, least: int) -> None:
        wanted = min(self._most, max(least, self._affordable(done, seconds)))
        wanted = self._world.broadcast(wanted)
        if wanted != self.epochs:
            self.epochs, self.seconds = self._plan(wanted), seconds
