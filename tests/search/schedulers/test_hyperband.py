"""HyperBand: the brackets of the paper, who belongs to which, and that none waits for another."""

import pytest

from graft.search.protocol import GoOn, Hold, Stop
from graft.search.schedulers.hyperband import Bracket, HyperBand, brackets
from graft.spec.search.schedulers import HyperBand as HyperBandSpec


def test_the_brackets_are_those_of_the_paper():
    # Li et al., JMLR 2018, table 1: R = 81, η = 3.
    assert brackets(81, 3) == [
        Bracket(81, (1, 3, 9, 27)),
        Bracket(34, (3, 9, 27)),
        Bracket(15, (9, 27)),
        Bracket(8, (27,)),
        Bracket(5, ()),
    ]


@pytest.mark.parametrize("eta", [2, 3, 4, 100])
def test_milestones_rise_from_at_least_one_epoch_to_less_than_all(eta):
    for epochs in range(1, 200):
        found = brackets(epochs, eta)
        assert eta ** (len(found) - 1) <= epochs < eta ** len(found)
        for bracket in found:
            assert bracket.size >= 1
            assert list(bracket.milestones) == sorted(set(bracket.milestones))
            assert all(1 <= milestone < epochs for milestone in bracket.milestones)


@pytest.mark.parametrize(
    ("trials", "sizes"),
    [(1, [1]), (2, [2]), (3, [2, 1]), (5, [3, 2]), (16, [9, 4, 2, 1]), (49, [27, 12, 6, 4]), (50, [27, 12, 6, 4])],
)
def test_few_trials_shrink_all_brackets(trials, sizes):
    assert [bracket.size for bracket in brackets(27, 3, trials)] == sizes


@pytest.mark.parametrize("epochs", [1, 5, 9, 27])
def test_brackets_have_a_place_for_every_trial_and_no_more(epochs):
    whole = sum(bracket.size for bracket in brackets(epochs, 3))
    for trials in range(1, 60):
        assert sum(bracket.size for bracket in brackets(epochs, 3, trials)) == min(trials, whole)


@pytest.fixture
def hyperband(context, proposal):
    def build(epochs, trials, eta=3, limit=None, **kwargs):
        scheduler = HyperBand(context(HyperBandSpec(reduction_factor=eta), epochs, limit, **kwargs))
        for index in range(1, trials + 1):
            scheduler.add(proposal(f"t{index:02d}"))
        return scheduler

    return build


def values(first, last, value=lambda index: index / 100):
    return {f"t{index:02d}": value(index) for index in range(first, last + 1)}


def going_on(decisions):
    return sorted(trial for trial, decision in decisions.items() if decision == GoOn())


def test_a_bracket_is_decided_as_soon_as_it_is_whole(hyperband, tell):
    # R = 9, η = 3: brackets of 9 (milestones 1, 3), 5 (3) and 3 trials (none), then again.
    scheduler = hyperband(9, 14)
    tell(scheduler, 1, **values(10, 14))
    assert set(tell(scheduler, 1, **values(1, 8)).values()) == {Hold()}
    assert scheduler.settle(no_more=False) == {}
    tell(scheduler, 1, **values(9, 9))
    decisions = scheduler.settle(no_more=False)
    assert (going_on(decisions), len(decisions)) == (["t07", "t08", "t09"], 9)
    assert set(tell(scheduler, 3, **values(7, 9)).values()) == {Hold()}
    assert going_on(scheduler.settle(no_more=False)) == ["t09"]
    assert set(tell(scheduler, 3, **values(10, 14)).values()) == {Hold()}
    assert going_on(scheduler.settle(no_more=False)) == ["t14"]


def test_the_last_bracket_runs_to_its_end_and_the_next_round_begins(hyperband, tell):
    scheduler = hyperband(9, 18)
    for epoch in range(1, 10):
        assert set(tell(scheduler, epoch, **values(15, 17)).values()) == {GoOn()}
    assert set(tell(scheduler, 1, **values(18, 18)).values()) == {Hold()}
    assert scheduler.settle(no_more=False) == {}
    assert going_on(scheduler.settle(no_more=True)) == ["t18"]


def test_a_bracket_that_is_not_full_is_decided_when_no_more_come(hyperband, tell):
    scheduler = hyperband(9, 7)
    tell(scheduler, 1, **values(1, 7))
    assert scheduler.settle(no_more=False) == {}
    assert going_on(scheduler.settle(no_more=True)) == ["t06", "t07"]


def test_adding_a_trial_again_leaves_it_in_its_bracket(hyperband, proposal, tell):
    scheduler = hyperband(9, 9)
    scheduler.add(proposal("t01"))
    assert set(tell(scheduler, 1, **values(1, 9)).values()) == {Hold()}
    assert len(scheduler.settle(no_more=False)) == 9


def test_the_smaller_loss_goes_on(hyperband, tell):
    scheduler = hyperband(9, 9, metric="loss")
    tell(scheduler, 1, **values(1, 9))
    decisions = scheduler.settle(no_more=False)
    assert going_on(decisions) == ["t01", "t02", "t03"]
    reason = "loss 0.0400 at epoch 1 is rank 4 of 9; the best 3 go on, the last of them with 0.0300"
    assert decisions["t04"] == Stop(reason, 1)


def test_failed_trials_are_not_waited_for_and_their_places_not_given_away(hyperband, proposal, tell):
    scheduler = hyperband(9, 9)
    tell(scheduler, 1, **values(1, 8))
    scheduler.remove("t09")
    scheduler.add(proposal("t10"))
    decisions = scheduler.settle(no_more=False)
    assert (going_on(decisions), len(decisions)) == (["t07", "t08"], 8)
    assert tell(scheduler, 1, t10=0.1) == {"t10": GoOn()}  # of the second bracket, which compares at 3


def test_checkpoints_are_due_at_every_milestone_of_any_bracket(hyperband):
    for limit in (None, 1, 60):
        scheduler = hyperband(27, 0, limit=limit)
        assert [epoch for epoch in range(28) if scheduler.checkpoints.wants(epoch)] == [1, 3, 9]


def test_a_limit_on_trials_shrinks_the_last_round(hyperband, tell):
    # 9 + 5 + 3 trials make a round; of the second, 4 are left: 3 and 1.
    scheduler = hyperband(9, 21, limit=21)
    tell(scheduler, 1, **values(18, 20))
    assert going_on(scheduler.settle(no_more=False)) == ["t20"]


def test_fewer_epochs_than_the_reduction_factor_stop_nobody(hyperband, tell):
    scheduler = hyperband(2, 5)
    for epoch in (1, 2):
        assert set(tell(scheduler, epoch, **values(1, 5)).values()) == {GoOn()}
