"""Strategies are proposed under names in order, never the same one twice, and a break changes nothing."""

from typing import Any

import pytest

from graft.search.proposer import (
    MAX_REPEATS,
    Earlier,
    SearchProposer,
    StratifiedProposer,
    SurvivorProposer,
    architectures_of,
)
from graft.search.protocol import Checkpoint, Duplicate, Observation, Proposal, Proposer, Searcher
from graft.search.searchers.build import build_searcher
from graft.spec.search import searchers as spec
from graft.spec.search.phases import Phase
from graft.spec.search.schedulers import NoScheduler, Pbt
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

WIDE = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}, "freeze": {"choice": [0.0, 0.5, 1.0]}})
NARROW = StrategySpace.parse({"freeze": {"choice": [0.0, 0.5]}, "penalty": {"choice": ["none", "l2"]}})
MANY_REPEATS = StrategySpace.parse({"freeze": {"choice": [0.0, 0.25, 0.5, 0.75]}, "lr": {"choice": [0.1, 0.2, 0.3]}})
FOUR_KINDS = StrategySpace.parse(
    {
        "backbone": {"choice": ["a", "b"]},
        "head": {"choice": ["linear", {"kind": "mlp", "dropout": {"uniform": [0, 0.5]}}]},
        "lr": {"loguniform": [1e-4, 1e-1]},
    }
)
RANDOM, TO_THE_END, POPULATION = spec.RandomSearcher(), NoScheduler(), Pbt()


def searcher(space: StrategySpace, seed: int = 0, of: spec.SearcherSpec = RANDOM) -> Searcher:
    return build_searcher(of, space, metric_named("accuracy"), seed)


def phase(trials: int | None = None, index: int = 0, scheduler: Any = TO_THE_END) -> Phase:
    is_population = scheduler is POPULATION
    return Phase(index, scheduler, RANDOM, trials, 8, index > 0, is_population, False)


def propose_all(proposer: Proposer, most: int = 1000) -> tuple[list[Proposal], list[Duplicate]]:
    duplicates: list[Duplicate] = []
    proposals: list[Proposal] = []
    while len(proposals) < most and (proposal := proposer.propose(duplicates.append)) is not None:
        proposals.append(proposal)
    return proposals, duplicates


def begun(proposals: list[Proposal], duplicates: int = 0, **others: Any) -> Earlier:
    return Earlier(proposed=[(one.trial, one.strategy.key()) for one in proposals], duplicates=duplicates, **others)


class Scripted:
    """Draws what it is told to, and remembers what it was asked."""

    def __init__(self, *strategies: Strategy) -> None:
        self._strategies = strategies
        self.asked: list[tuple[int, tuple[Observation, ...]]] = []

    def draw(self, index: int, history: tuple[Observation, ...]) -> Strategy | None:
        self.asked.append((index, history))
        return self._strategies[index] if index < len(self._strategies) else None


def test_proposes_as_many_as_the_phase_has_and_names_them_in_order() -> None:
    proposer = SearchProposer(searcher(WIDE), phase(12, index=1))
    proposals, duplicates = propose_all(proposer)

    assert [one.trial for one in proposals] == [f"t{n:02d}" for n in range(1, 13)]
    assert {(one.epochs, one.phase, one.segment, one.start) for one in proposals} == {(8, 1, 0, None)}
    assert duplicates == []
    assert all(1e-4 <= one.strategy.lr <= 1e-1 for one in proposals)
    assert not proposer.is_exhausted


def test_what_is_tried_first_runs_to_its_end_and_the_searcher_counts_its_own_draws() -> None:
    one, other = Strategy(lr=0.1), Strategy(lr=0.2)
    drawn = Scripted(other, Strategy(lr=0.3), Strategy(lr=0.4))
    heard: list[Duplicate] = []
    proposer = SearchProposer(drawn, phase(3), first=[one, one, other])
    proposals = [proposer.propose(heard.append) for _ in range(4)]

    assert [proposal and (proposal.strategy.lr, proposal.runs_to_end) for proposal in proposals] == [
        (0.1, True), (0.2, True), (0.3, False), None,
    ]  # fmt: skip
    assert [one.of for one in heard] == ["t01", "t02"], "a repeat among them, and what the searcher draws again"
    assert [index for index, _ in drawn.asked] == [0, 1]


def test_a_break_among_what_is_tried_first_changes_nothing() -> None:
    first = [Strategy(lr=0.1), Strategy(lr=0.1), Strategy(lr=0.2)]
    whole, duplicates = propose_all(SearchProposer(searcher(WIDE), phase(6), first=first))
    for cut in range(7):
        heard = 1 if cut > 1 else 0
        earlier = begun(whole[:cut], heard)
        rest, _ = propose_all(SearchProposer(searcher(WIDE), phase(6), first=first, earlier=earlier))
        assert [*whole[:cut], *rest] == whole
    assert len(duplicates) == 1


def test_a_later_phase_goes_on_counting() -> None:
    proposals, _ = propose_all(SearchProposer(searcher(WIDE), phase(3), earlier=Earlier(first=99)))
    assert [one.trial for one in proposals] == ["t99", "t100", "t101"]


def test_equal_seeds_propose_equal_strategies_and_others_do_not() -> None:
    first, again, other = (propose_all(SearchProposer(searcher(WIDE, seed), phase(8)))[0] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_phase_without_a_limit_has_no_end() -> None:
    assert len(propose_all(SearchProposer(searcher(WIDE), phase()), most=200)[0]) == 200


def test_a_small_space_is_used_up_without_training_anything_twice() -> None:
    proposer = SearchProposer(searcher(NARROW), phase(50))
    proposals, duplicates = propose_all(proposer)

    assert len({one.strategy.key() for one in proposals}) == len(proposals) == 4
    assert proposer.is_exhausted
    assert len(duplicates) >= MAX_REPEATS
    assert {one.of for one in duplicates} <= {one.trial for one in proposals}
    assert proposer.propose(duplicates.append) is None
    assert len(duplicates) < 2 * MAX_REPEATS


def test_a_grid_ends_without_a_repeat() -> None:
    proposer = SearchProposer(searcher(NARROW, of=spec.GridSearcher()), phase(50))
    proposals, duplicates = propose_all(proposer)
    assert len(proposals) == 4
    assert duplicates == []
    assert proposer.is_exhausted


@pytest.mark.parametrize("of", [spec.TpeSearcher(start_up=2), spec.BohbSearcher(start_up=2), spec.CmaEsSearcher()])
def test_a_searcher_that_learns_finds_the_last_strategy_too(of: spec.SearcherSpec) -> None:
    known: list[Observation] = []
    proposer = SearchProposer(searcher(MANY_REPEATS, of=of), phase(50), history=lambda: tuple(known))
    while proposal := proposer.propose(lambda _: None):
        known.append(Observation(proposal.strategy, {1: proposal.strategy.freeze - proposal.strategy.lr}))
    assert len(known) == 12


def test_strategies_that_mean_the_same_are_one_trial() -> None:
    # With four blocks, 0.49 and 0.5 are the same cut.
    space = StrategySpace.parse({"freeze": {"choice": [0.49, 0.5]}})
    proposals, _ = propose_all(SearchProposer(searcher(space), phase(5), depth=lambda _: 4))
    assert [one.strategy.freeze for one in proposals] == [0.5]


def test_what_an_earlier_phase_has_trained_is_not_proposed_again() -> None:
    one, other = Strategy(lr=0.1), Strategy(lr=0.2)
    heard: list[Duplicate] = []
    proposer = SearchProposer(Scripted(one, other), phase(5), earlier=Earlier(first=4, known={one.key(): "t02"}))

    assert proposer.propose(heard.append) == Proposal("t04", other, epochs=8)
    assert heard == [Duplicate("t02", one.key())]


def test_the_searcher_hears_of_history_and_of_repeats() -> None:
    one, other = Strategy(lr=0.1), Strategy(lr=0.2)
    known = (Observation(one, {1: 0.5}),)
    scripted = Scripted(one, one, one, other, one, other)
    proposer = SearchProposer(scripted, phase(5), history=lambda: known)
    propose_all(proposer, most=2)
    proposer.propose(lambda _: None)

    repeat = Observation(one, {})
    first = [(0, known)]
    second = [(1, known), (2, (*known, repeat)), (3, (*known, repeat, repeat))]
    third = [(4, known), (5, (*known, repeat)), (6, (*known, repeat, Observation(other, {})))]
    assert scripted.asked == first + second + third


@pytest.mark.parametrize("of", [spec.RandomSearcher(), spec.SobolSearcher(), spec.GridSearcher(points=4)])
@pytest.mark.parametrize("space", [WIDE, MANY_REPEATS], ids=["wide", "many repeats"])
@pytest.mark.parametrize("cut", range(0, 11, 2))
def test_a_search_that_was_cut_off_proposes_what_it_would_have(
    of: spec.SearcherSpec, space: StrategySpace, cut: int
) -> None:
    undisturbed, duplicates = propose_all(SearchProposer(searcher(space, of=of), phase(11)))
    before, repeats = propose_all(SearchProposer(searcher(space, of=of), phase(11)), most=cut)
    resumed = SearchProposer(searcher(space, of=of), phase(11), earlier=begun(before, len(repeats)))
    after, more = propose_all(resumed)

    assert before + after == undisturbed
    assert repeats + more == duplicates


def test_a_trial_that_never_began_is_proposed_again_under_its_name() -> None:
    undisturbed, _ = propose_all(SearchProposer(searcher(WIDE), phase(8)))
    begun_out_of_order = [*undisturbed[:3], undisturbed[4]]
    resumed = SearchProposer(searcher(WIDE), phase(8), earlier=begun(begun_out_of_order))

    assert propose_all(resumed)[0] == [undisturbed[3], *undisturbed[5:]]


def test_architectures_are_those_of_the_space() -> None:
    assert architectures_of(FOUR_KINDS) == ("a linear", "a mlp 256 1", "b linear", "b mlp 256 1")
    assert architectures_of(WIDE) == (Strategy().architecture(),)


@pytest.mark.parametrize("of", [spec.RandomSearcher(), spec.SobolSearcher(), spec.GridSearcher(points=9)])
@pytest.mark.parametrize("seed", range(4))
def test_every_architecture_has_its_share_of_a_population(of: spec.SearcherSpec, seed: int) -> None:
    kinds = architectures_of(FOUR_KINDS)
    proposals, _ = propose_all(StratifiedProposer(searcher(FOUR_KINDS, seed, of), phase(10), kinds))

    assert [one.trial for one in proposals] == [f"t{n:02d}" for n in range(1, 11)]
    assert [one.strategy.architecture() for one in proposals] == [kinds[k % 4] for k in range(10)]
    assert len({one.strategy.key() for one in proposals}) == 10


def test_what_does_not_fit_one_member_is_there_for_a_later_one() -> None:
    drawn = [Strategy(backbone=name, lr=lr) for name, lr in (("b", 0.1), ("b", 0.2), ("a", 0.3), ("a", 0.4))]
    proposals, duplicates = propose_all(StratifiedProposer(Scripted(*drawn), phase(4), ["a linear", "b linear"]))
    assert [one.strategy for one in proposals] == [drawn[2], drawn[0], drawn[3], drawn[1]]
    assert duplicates == []


def test_a_population_reports_each_repeat_once() -> None:
    one, other, third = Strategy(lr=0.1), Strategy(lr=0.2), Strategy(lr=0.3)
    scripted, known = Scripted(one, third, one, other), {third.key(): "t01"}
    proposer = StratifiedProposer(scripted, phase(9), [one.architecture()], earlier=Earlier(first=3, known=known))
    proposals, duplicates = propose_all(proposer)

    assert [(proposal.trial, proposal.strategy) for proposal in proposals] == [("t03", one), ("t04", other)]
    assert duplicates == [Duplicate("t01", third.key()), Duplicate("t03", one.key())]
    assert proposer.is_exhausted

    earlier = begun(proposals, 2, first=3, known=known)
    resumed = StratifiedProposer(scripted, phase(9), [one.architecture()], earlier=earlier)
    assert propose_all(resumed) == ([], [])


@pytest.mark.parametrize("cut", range(7))
def test_a_population_that_was_cut_off_gets_the_members_it_would_have(cut: int) -> None:
    space = StrategySpace.parse({"backbone": {"choice": ["a", "b"]}, "lr": {"choice": [0.1, 0.2, 0.3]}})

    def proposer(earlier: Earlier) -> StratifiedProposer:
        return StratifiedProposer(searcher(space, seed=2), phase(6), architectures_of(space), earlier=earlier)

    undisturbed, duplicates = propose_all(proposer(Earlier()))
    before, repeats = propose_all(proposer(Earlier()), most=cut)
    after, more = propose_all(proposer(begun(before, len(repeats))))
    assert len(undisturbed) == 6
    assert before + after == undisturbed
    assert len(repeats) + len(more) == len(duplicates) > 0


def test_an_architecture_that_is_never_drawn_ends_the_population() -> None:
    proposer = StratifiedProposer(searcher(WIDE), phase(4), [Strategy().architecture(), "b linear"])
    proposals, _ = propose_all(proposer)
    assert len(proposals) == 1
    assert proposer.is_exhausted


SURVIVORS = [(Strategy(lr=0.1 * n), Checkpoint(f"t{n:02d}", 0, 4)) for n in (3, 1, 2)]


def varied(strategy: Strategy, member: int) -> Strategy:
    return strategy.model_copy(update={"weight_decay": member / 100})


def test_a_population_is_filled_with_variations_of_the_survivors() -> None:
    evolving = phase(8, index=1, scheduler=POPULATION)
    proposals, duplicates = propose_all(SurvivorProposer(SURVIVORS, evolving, varied, earlier=Earlier(first=17)))

    assert [one.trial for one in proposals] == [f"t{n}" for n in range(17, 25)]
    assert [one.start for one in proposals] == [SURVIVORS[member % 3][1] for member in range(8)]
    assert [one.strategy for one in proposals[:3]] == [strategy for strategy, _ in SURVIVORS]
    assert [one.strategy for one in proposals[3:]] == [varied(SURVIVORS[n % 3][0], n) for n in range(3, 8)]
    assert {(one.epochs, one.phase, one.segment) for one in proposals} == {(8, 1, 0)}
    assert duplicates == []


@pytest.mark.parametrize(("trials", "expected"), [(2, 2), (3, 3), (9, 3), (None, 3)])
def test_any_other_phase_goes_on_with_each_survivor_once(trials: int | None, expected: int) -> None:
    proposals, _ = propose_all(SurvivorProposer(SURVIVORS, phase(trials, index=1), varied))
    assert [(one.strategy, one.start) for one in proposals] == SURVIVORS[:expected]


def test_a_population_smaller_than_the_survivors_takes_the_best() -> None:
    proposals, _ = propose_all(SurvivorProposer(SURVIVORS, phase(2, index=1, scheduler=POPULATION), varied))
    assert [(one.strategy, one.start) for one in proposals] == SURVIVORS[:2]


def test_without_survivors_there_is_nothing_to_go_on_from() -> None:
    assert propose_all(SurvivorProposer([], phase(4, index=1, scheduler=POPULATION), varied)) == ([], [])


@pytest.mark.parametrize(
    "trials", [["t17", "t18", "t19", "t20"], ["t17", "t19", "t20"]], ids=["in order", "with a gap"]
)
def test_survivors_that_were_proposed_before_the_break_are_not_again(trials: list[str]) -> None:
    def proposer(earlier: Earlier) -> SurvivorProposer:
        return SurvivorProposer(SURVIVORS, phase(6, index=1, scheduler=POPULATION), varied, earlier=earlier)

    undisturbed, _ = propose_all(proposer(Earlier(first=17)))
    rest, _ = propose_all(proposer(Earlier(first=17, proposed=[(trial, "key") for trial in trials])))
    assert rest == [one for one in undisturbed if one.trial not in trials]
