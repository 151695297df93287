"""A training plans as many epochs as there is time for, on machines of any speed."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from graft.search.protocol import Allowance
from graft.training.plan import PartialEpoch
from graft.training.steps.own_length import OwnLength
from graft.training.world import ALONE

WANTED, STEPS, STEP_S = 12, 34, 0.7  # the whole network at 128 px, batches of 32: what a core is taken to do
VALIDATION = 0.15
EPOCH_S = STEPS * STEP_S * (1 + VALIDATION)
FIT, SCORING = 0.9, 0.5


class Machine:
    """Trains without training: every step takes `slowness` times what it is taken to."""

    def __init__(self, allowance: Allowance, slowness: Callable[[int], float], steps: int = STEPS) -> None:
        self.now = 0.0
        self._slowness = slowness
        clock = SimpleNamespace(elapsed=lambda: self.now, now=lambda: self.now)
        self.session: Any = SimpleNamespace(epochs_done=0, partial=PartialEpoch(), steps_per_epoch=steps, clock=clock)
        self.plans: list[tuple[float, int]] = []
        affordable = lambda done, seconds: allowance.epochs(done, seconds, self.now)  # noqa: E731
        self.own = OwnLength(affordable, self._plan, WANTED, VALIDATION, ALONE)
        self._train = self.own.training(self._steps)

    def _plan(self, epochs: int) -> int:
        self.plans.append((self.session.epochs_done + self.session.partial.steps / STEPS, epochs))
        return epochs

    def _steps(self, session: Any, batches: Iterable[Any]) -> None:
        for _ in batches:
            self.now += STEP_S * self._slowness(session.epochs_done)
            session.partial = session.partial.plus(32, 1.0)

    def train(self) -> int:
        """The epochs that it has trained."""
        while self.session.epochs_done < self.own.epochs:
            began = self.now
            self._train(self.session, [object()] * self.session.steps_per_epoch)
            self.now += STEP_S * self.session.steps_per_epoch * VALIDATION * self._slowness(self.session.epochs_done)
            self.session.partial, self.session.epochs_done = PartialEpoch(), self.session.epochs_done + 1
            self.own.after(self.session.epochs_done, self.now - began)
        return int(self.session.epochs_done)

    @property
    def over(self) -> float:
        """When the fit of as many epochs and the scoring are over."""
        epochs, steps = self.session.epochs_done, self.session.steps_per_epoch
        an_epoch = steps * STEP_S * (1 + VALIDATION) * self._slowness(epochs - 1)
        return self.now + (epochs * FIT + SCORING) * an_epoch


def allowed(minutes: float) -> Allowance:
    return Allowance(minutes * 60, FIT, SCORING, VALIDATION)


@pytest.mark.parametrize("minutes", [2, 4, 8, 15, 60])
@pytest.mark.parametrize("slowness", [0.2, 1.0, 2.0, 5.0])
def test_the_training_and_what_follows_end_in_time_wherever_an_epoch_fits(slowness: float, minutes: float) -> None:
    machine = Machine(allowed(minutes), lambda epoch: slowness)
    an_epoch, left = EPOCH_S * slowness, minutes * 60
    epochs = machine.train()
    if an_epoch * (1 + FIT + SCORING) / 0.9 <= left:
        assert machine.over <= left
        assert epochs == WANTED or machine.over > 0.9 * left - 2 * (1 + FIT) * an_epoch, "no time is given away"
    else:
        assert epochs == 1
    if an_epoch * (WANTED * (1 + FIT) + SCORING) / 0.9 <= left:
        assert (epochs, machine.plans) == (WANTED, [])


def test_the_plan_comes_with_the_first_steps_so_that_the_rate_rises_and_falls_over_it() -> None:
    machine = Machine(allowed(8), lambda epoch: 5.0)
    assert machine.train() == 1
    assert machine.plans == [(4 / STEPS, 1)]


def test_an_epoch_of_few_steps_is_timed_as_a_whole() -> None:
    machine = Machine(allowed(2), lambda epoch: 5.0, steps=4)
    assert 1 < machine.train() < WANTED
    assert machine.plans[0][0] == 1
    assert machine.over <= 120


def test_a_first_epoch_that_is_faster_than_its_first_steps_gives_epochs_back() -> None:
    machine = Machine(allowed(8), lambda epoch: 1.0)
    first = machine.session.partial
    machine._slowness = lambda epoch: 5.0 if machine.session.partial.steps < 6 and epoch == 0 else 1.0
    assert first.steps == 0
    epochs = machine.train()
    assert [one for _, one in machine.plans] == [1, epochs]
    assert epochs > 3


def test_others_who_slow_the_machine_down_later_make_it_shorter_and_never_longer_again() -> None:
    machine = Machine(allowed(20), lambda epoch: 3.0 if 4 <= epoch < 8 else 1.0)
    epochs = machine.train()
    assert epochs < WANTED
    planned = [one for _, one in machine.plans]
    assert planned == sorted(planned, reverse=True)
    assert machine.over <= 20 * 60


def test_all_ranks_plan_what_the_first_says() -> None:
    plans = []
    world: Any = SimpleNamespace(broadcast=lambda value: 3)
    own = OwnLength(lambda done, seconds: 7, lambda epochs: plans.append(epochs) or epochs, WANTED, 0.0, world)
    own.after(1, 5.0)
    assert (plans, own.epochs) == ([3], 3)


def test_who_cannot_change_its_plan_just_then_keeps_it() -> None:
    own = OwnLength(lambda done, seconds: 2, lambda epochs: WANTED, WANTED, 0.0, ALONE)
    own.after(1, 5.0)
    assert own.epochs == WANTED
