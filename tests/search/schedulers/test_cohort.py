"""Trials that wait for each other: who is waited for, who goes on, and what is said to the others."""

import pytest

from graft.search.protocol import GoOn, Hold, Stop
from graft.search.schedulers.cohort import Cohort
from graft.spec.search.schedulers import NoScheduler


@pytest.fixture
def cohort(context):
    def build(milestones=(1, 3), size=3, keep=1, metric="accuracy", trials="abc"):
        group = Cohort(context(NoScheduler(), metric=metric), milestones, size, keep=lambda compared: keep)
        for trial in trials:
            group.add(trial, 0)
        return group

    return build


def kinds(decisions):
    return {trial: type(decision) for trial, decision in decisions.items()}


def test_all_are_held_until_the_last_has_come_and_the_best_goes_on(cohort, tell):
    group = cohort()
    assert set(tell(group, 1, a=0.1, b=0.3).values()) == {Hold()}
    assert group.settle(no_more=True) == {}
    assert tell(group, 1, c=0.2) == {"c": Hold()}
    assert kinds(group.settle(no_more=False)) == {"b": GoOn, "c": Stop, "a": Stop}
    assert group.settle(no_more=True) == {}  # each is decided once


def test_says_rank_and_the_value_that_was_needed_in_the_users_sign(cohort, tell):
    group = cohort(keep=2)
    tell(group, 1, a=0.1, b=0.3, c=0.2)
    reason = "accuracy 0.1000 at epoch 1 is rank 3 of 3; the best 2 go on, the last of them with 0.2000"
    assert group.settle(no_more=False)["a"] == Stop(reason, 1)
    group = cohort(metric="loss", trials="ab", size=2)
    tell(group, 1, a=0.1, b=0.3)
    reason = "loss 0.3000 at epoch 1 is rank 2 of 2; the best goes on, with 0.1000"
    assert group.settle(no_more=False)["b"] == Stop(reason, 1)


def test_equals_are_ranked_by_name_whoever_came_first(cohort, tell):
    group = cohort()
    tell(group, 1, c=0.5, b=0.5, a=0.5)
    assert kinds(group.settle(no_more=False)) == {"a": GoOn, "b": Stop, "c": Stop}


def test_a_group_that_is_not_complete_waits_until_no_more_come(cohort, tell):
    group = cohort(size=4)
    tell(group, 1, a=0.1, b=0.3, c=0.2)
    assert group.settle(no_more=False) == {}
    assert kinds(group.settle(no_more=True)) == {"b": GoOn, "c": Stop, "a": Stop}


def test_nobody_waits_for_a_trial_that_failed_wherever_it_was(cohort, tell):
    group = cohort()
    tell(group, 1, a=0.1, b=0.3)
    group.remove("c")
    group.remove("b")  # it was held, and the best
    assert kinds(group.settle(no_more=False)) == {"a": GoOn}


def test_goes_on_to_the_next_milestone_with_those_that_are_left(cohort, tell):
    group = cohort(keep=2)
    tell(group, 1, a=0.1, b=0.3, c=0.2)
    group.settle(no_more=False)
    assert set(tell(group, 2, b=0.3, c=0.2).values()) == {GoOn()}
    assert tell(group, 3, b=0.3) == {"b": Hold()}
    assert group.settle(no_more=True) == {}
    tell(group, 3, c=0.4)
    assert kinds(group.settle(no_more=True)) == {"c": GoOn, "b": GoOn}
    assert tell(group, 4, b=0.3, c=0.4) == {"b": GoOn(), "c": GoOn()}


def test_a_trial_from_a_checkpoint_is_compared_above_it_only(cohort, tell):
    group = cohort(trials="ab", keep=2)
    group.add("c", 2)
    assert tell(group, 3, c=0.1) == {"c": Hold()}
    tell(group, 1, a=0.2, b=0.3)
    assert kinds(group.settle(no_more=False)) == {"a": GoOn, "b": GoOn}
    tell(group, 3, a=0.2, b=0.3)
    assert kinds(group.settle(no_more=False)) == {"b": GoOn, "a": GoOn, "c": Stop}


def test_a_trial_whose_report_is_missing_is_neither_held_nor_waited_for(cohort, tell):
    group = cohort()
    tell(group, 1, a=0.1, b=0.3)
    assert tell(group, 2, c=0.9) == {"c": GoOn()}
    assert kinds(group.settle(no_more=False)) == {"b": GoOn, "a": Stop}
    assert tell(group, 3, c=0.9) == {"c": Hold()}


def test_a_held_trial_that_trains_on_is_not_decided_about(cohort, tell):
    group = cohort(keep=1)
    tell(group, 1, a=0.1, b=0.3)
    assert tell(group, 2, b=0.4) == {"b": GoOn()}
    tell(group, 1, c=0.2)
    assert kinds(group.settle(no_more=False)) == {"c": GoOn, "a": Stop}


def test_joining_twice_is_joining_once(cohort, tell):
    group = cohort(trials="ab")
    group.add("a", 0)
    assert not group.is_complete
    tell(group, 1, a=0.1)
    group.add("a", 0)
    tell(group, 1, b=0.2)
    assert kinds(group.settle(no_more=True)) == {"b": GoOn, "a": Stop}
    group.add("b", 0)
    group.add("c", 0)
    tell(group, 1, c=0.1)  # where nobody waits for `b` again
    assert kinds(group.settle(no_more=False)) == {"c": GoOn}
