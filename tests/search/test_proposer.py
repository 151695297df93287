"""Strategies are drawn within bounds, reproducibly, and never twice."""

from graft.search.proposer import MAX_REPEATS, RandomProposer
from graft.search.protocol import Duplicate, Proposal
from graft.spec.space import StrategySpace

WIDE = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}, "freeze": {"choice": [0.0, 0.5, 1.0]}})
NARROW = StrategySpace.parse({"freeze": {"choice": [0.0, 0.5]}, "penalty": {"choice": ["none", "l2"]}})


def propose_all(proposer: RandomProposer) -> tuple[list[Proposal], list[Duplicate]]:
    duplicates: list[Duplicate] = []
    proposals = []
    while (proposal := proposer.propose(duplicates.append)) is not None:
        proposals.append(proposal)
    return proposals, duplicates


def test_proposes_as_many_as_the_budget_and_names_them_in_order() -> None:
    proposals, duplicates = propose_all(RandomProposer(WIDE, trials=12, seed=3))
    assert [one.trial for one in proposals] == [f"t{n:02d}" for n in range(1, 13)]
    assert duplicates == []
    assert all(1e-4 <= one.strategy.lr <= 1e-1 for one in proposals)


def test_equal_seeds_propose_equal_strategies_and_others_do_not() -> None:
    first, _ = propose_all(RandomProposer(WIDE, trials=8, seed=1))
    again, _ = propose_all(RandomProposer(WIDE, trials=8, seed=1))
    other, _ = propose_all(RandomProposer(WIDE, trials=8, seed=2))
    assert first == again
    assert first != other


def test_a_small_space_is_used_up_without_training_anything_twice() -> None:
    proposer = RandomProposer(NARROW, trials=50, seed=0)
    proposals, duplicates = propose_all(proposer)
    assert len({one.strategy.key() for one in proposals}) == len(proposals) == 4
    assert proposer.is_exhausted
    assert len(duplicates) >= MAX_REPEATS
    assert {one.of for one in duplicates} <= {one.trial for one in proposals}


def test_strategies_that_mean_the_same_are_one_trial() -> None:
    # With four blocks, 0.49 and 0.5 are the same cut.
    space = StrategySpace.parse({"freeze": {"choice": [0.49, 0.5]}})
    proposals, _ = propose_all(RandomProposer(space, trials=5, seed=0, num_blocks=lambda _: 4))
    assert [one.strategy.freeze for one in proposals] == [0.5]


def test_a_resumed_search_draws_the_same_names_and_leaves_out_what_is_done() -> None:
    everything, _ = propose_all(RandomProposer(WIDE, trials=6, seed=5))
    done = {one.strategy.key(): one.trial for one in everything[:4]}
    rest, _ = propose_all(RandomProposer(WIDE, trials=6, seed=5, done=done))
    assert rest == everything[4:]
