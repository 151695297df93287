"""A run uses the time that it was given, and cuts off nothing."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from tests.fixtures.simulated_run import SimulatedRun, Work

from graft.experiments.budget import TOLERANCE
from graft.experiments.progress import Progress
from graft.experiments.standing.estimates import Check, share_held
from graft.journal.events import TrialStatus
from graft.pipeline.stages.in_time import InTime, SearchTime, least_training
from graft.search.protocol import Later, Others, Proposal
from graft.spec.components.head import RidgeHead
from graft.spec.strategy import Strategy


def head(passes: float, worth: float, is_stored: bool = False) -> Work:
    return Work(Strategy(head=RidgeHead(), resolution=round(passes * 30)), 0.3, passes, worth, is_stored)


def training(epoch: float, passes: float, worth: float, is_stored: bool = False) -> Work:
    return Work(Strategy(resolution=round(passes * 30) or 128), epoch, passes, worth, is_stored)


# Seconds of 400 pictures of 96, 128 and 160 px, and of as many texts, of solved heads, frozen and whole networks: what
# two idle cores take for them.
PICTURES = (
    *(head(2.1, 0.66), training(9, 0, 0.74), head(2.1, 0.65, True), head(3.7, 0.68), training(1.3, 5, 0.75)),
    *(
        head(3.7, 0.67, True),
        head(5.7, 0.69),
        training(9, 0, 0.74),
        training(14, 0, 0.75),
        training(1.3, 5, 0.74, True),
    ),
    *(training(9, 0, 0.73), training(1, 6, 0.74, True), training(9, 0, 0.76), training(2.2, 8, 0.72)),
)
TEXTS = (
    *(head(8, 0.72), training(14, 0, 0.78), head(8, 0.73, True), training(6, 8, 0.77), training(14, 0, 0.78)),
    *(training(7, 0, 0.76), training(14, 0, 0.75), training(5, 0, 0.75)),
)


@pytest.mark.parametrize(
    ("works", "epochs", "minutes", "slowness"),
    [(PICTURES, 30, 3, 1), (PICTURES, 30, 5, 1), (PICTURES, 30, 15, 1), (TEXTS, 8, 5, 1), (TEXTS, 8, 15, 3)],
)
def test_no_training_is_cut_off_the_time_is_used_and_what_is_left_is_told(
    works: Sequence[Work], epochs: int, minutes: float, slowness: float
) -> None:
    run = SimulatedRun(works, minutes, lambda seconds: slowness, epochs)
    seconds = run.play()
    assert set(run.ended.values()) == {TrialStatus.COMPLETED}
    assert 0.9 <= seconds / (minutes * 60) <= 1 + TOLERANCE
    assert share_held([Check(left, seconds - at) for at, left in run.estimates]) >= 0.8


def test_a_machine_that_is_too_slow_for_its_minutes_takes_little_more_than_them() -> None:
    """What it does besides training takes a third of them."""
    run = SimulatedRun(PICTURES, 3, lambda seconds: 3.0)
    assert run.play() <= 180 * (1 + TOLERANCE)


class Times:
    """What a search has of time, set by hand."""

    def __init__(self, proposals: Sequence[Proposal], left: float) -> None:
        self.left, self.running = left, frozenset[str]()
        made = iter(proposals)
        proposer: Any = SimpleNamespace(propose=lambda on_duplicate: next(made, None), is_exhausted=False)
        others: Callable[[], Others] = lambda: Others(1000.0 + self.left, 7.0)  # noqa: E731
        time = SearchTime("minutes", lambda: 1000.0, others, lambda: 20.0, lambda: self.running)
        self.proposer = InTime(proposer, time)

    def propose(self) -> Proposal | Later | None:
        return self.proposer.propose(lambda duplicate: None)


TRAINING, SOLVED = Proposal("t01", Strategy(lr=0.001), epochs=9), Proposal("t01", Strategy(head=RidgeHead()), epochs=1)


def test_a_training_is_told_how_long_it_may_take() -> None:
    told = Times([TRAINING], left=20.0).propose()
    assert isinstance(told, Proposal)
    assert told.others == Others(1020.0, 7.0)


def test_a_training_without_time_waits_for_those_that_run_and_then_for_nothing() -> None:
    times = Times([TRAINING], left=19.0)
    times.running = frozenset({"t00"})
    assert times.propose() == Later()
    times.left = 30.0
    assert times.propose() == Later(), "nothing has ended"
    times.running = frozenset()
    assert isinstance(times.propose(), Proposal)

    late = Times([TRAINING, TRAINING], left=19.4)
    assert late.propose() is None
    assert late.propose() is None
    assert late.proposer.ended is not None
    told = late.proposer.ended
    assert (told.by, told.detail) == ("minutes", "19 s were left, and a training needs 20 s to become useful")


def test_a_head_that_is_solved_needs_no_time() -> None:
    assert Times([SOLVED], left=1.0).propose() == SOLVED


def test_a_training_is_useful_from_the_first_comparison_on(fold: Callable[..., Progress], trials: Any) -> None:
    assert least_training(fold(*trials.of("t01", [0.5], None)), 3) == 0.0
    # 4 epochs of 5 s that ended 40 s after the trial began
    one = fold(*trials.of("t01", [0.5] * 4, seconds=5.0))
    assert least_training(one, 1) == 40 - 4 * 5 + 5
    assert least_training(one, 3) == 40 - 4 * 5 + 2 * 5
    stopped = trials.of("t02", [0.5], TrialStatus.STOPPED, seconds=90.0)
    assert least_training(fold(*trials.of("t01", [0.5] * 4, seconds=5.0), *stopped), 1) == 25.0
