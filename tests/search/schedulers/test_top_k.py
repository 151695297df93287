"""One epoch for every trial, all epochs for the best k."""

import pytest

from graft.search.protocol import GoOn, Hold, Stop
from graft.search.schedulers.top_k import OneEpochTopK
from graft.spec.search.schedulers import OneEpochTopK as OneEpochTopKSpec


@pytest.fixture
def top_k(context, proposal):
    def build(keep=2, at=1, epochs=9, trials=4):
        scheduler = OneEpochTopK(context(OneEpochTopKSpec(keep=keep, epochs=at), epochs, trials))
        for trial in "abcd":
            scheduler.add(proposal(trial))
        return scheduler

    return build


def kinds(decisions):
    return {trial: type(decision) for trial, decision in decisions.items()}


def test_the_best_k_go_on_and_are_never_compared_again(top_k, tell):
    scheduler = top_k()
    assert set(tell(scheduler, 1, a=0.1, b=0.4, c=0.3, d=0.2).values()) == {Hold()}
    decisions = scheduler.settle(no_more=False)
    assert kinds(decisions) == {"b": GoOn, "c": GoOn, "d": Stop, "a": Stop}
    reason = "accuracy 0.1000 at epoch 1 is rank 4 of 4; the best 2 go on, the last of them with 0.3000"
    assert decisions["a"] == Stop(reason, 1)
    for epoch in range(2, 10):
        assert tell(scheduler, epoch, b=0.1, c=0.9) == {"b": GoOn(), "c": GoOn()}


def test_waits_for_all_trials_of_the_phase(top_k, tell):
    scheduler = top_k(trials=5)
    tell(scheduler, 1, a=0.1, b=0.4, c=0.3, d=0.2)
    assert scheduler.settle(no_more=False) == {}
    assert len(scheduler.settle(no_more=True)) == 4


def test_fewer_trials_than_k_all_go_on(top_k, tell):
    scheduler = top_k(keep=10)
    tell(scheduler, 1, a=0.1, b=0.4, c=0.3, d=0.2)
    assert set(scheduler.settle(no_more=False).values()) == {GoOn()}


def test_compares_after_as_many_epochs_as_asked_and_has_a_checkpoint_there(top_k, tell):
    scheduler = top_k(at=2)
    assert set(tell(scheduler, 1, a=0.1, b=0.4, c=0.3, d=0.2).values()) == {GoOn()}
    assert set(tell(scheduler, 2, a=0.1, b=0.4, c=0.3, d=0.2).values()) == {Hold()}
    assert [epoch for epoch in range(10) if scheduler.checkpoints.wants(epoch)] == [2]


@pytest.mark.parametrize("at", [3, 4])
def test_nothing_is_compared_where_trials_end_anyway(top_k, tell, at):
    scheduler = top_k(at=at, epochs=3)
    for epoch in (1, 2, 3):
        assert set(tell(scheduler, epoch, a=0.1, b=0.4, c=0.3, d=0.2).values()) == {GoOn()}
    assert scheduler.checkpoints.at == frozenset()
