"""Which frozen blocks a search meets, and which of them are worth being computed once."""

from typing import Any

import pytest

from graft.learner.prefix import Prefix, prefix_of
from graft.learner.prefix_plan import Expected, PrefixPlan, plan_prefixes
from graft.models.load import describe_backbone
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

LITE0 = "efficientnet_lite0"
BLOCKS = describe_backbone(LITE0).num_blocks


def strategy(**changes: Any) -> Strategy:
    return Strategy.model_validate({"backbone": LITE0, "resolution": 32, **changes})


def job(trials: int = 24, epochs: int = 5, **strategy: Any) -> Job:
    search = {"scheduler": "none", "budget": {"trials": trials}}
    raw = {"name": "x", "data": "digits", "training": {"epochs": epochs}, "search": search}
    return parse_job({**raw, "strategy": {"backbone": LITE0, "resolution": 32, **strategy}})


class TestOfAStrategy:
    def test_frozen_blocks_are_a_prefix(self) -> None:
        assert prefix_of(strategy(freeze=0.5)) == Prefix(LITE0, 32, 8)
        assert prefix_of(strategy(freeze=1.0)) == Prefix(LITE0, 32, BLOCKS)

    def test_a_full_fine_tune_has_none(self) -> None:
        assert prefix_of(strategy(freeze=0.0)) is None

    def test_blocks_drawn_at_random_are_above_it(self) -> None:
        redrawn = {"kind": "reinitialise", "blocks": 3}
        assert prefix_of(strategy(freeze=1.0, init=redrawn)) == Prefix(LITE0, 32, BLOCKS - 3)
        assert prefix_of(strategy(freeze=1.0, init={**redrawn, "blocks": BLOCKS})) is None

    def test_new_images_in_every_epoch_make_it_useless(self) -> None:
        assert prefix_of(strategy(freeze=0.5, augment="light")) is None
        assert prefix_of(strategy(freeze=0.5, augment={"kind": "light", "magnitude": 0.0})) is not None

    def test_samples_that_are_mixed_anew_in_every_epoch_do_too(self) -> None:
        assert prefix_of(strategy(freeze=0.5, mix="mixup")) is None
        assert prefix_of(strategy(freeze=1.0, mix="cutmix", augment={"kind": "light", "views": 4})) is None
        assert prefix_of(strategy(freeze=0.5, mix={"kind": "mixup", "share": 0.0})) is not None

    def test_stored_views_do_not(self) -> None:
        light = {"kind": "light", "views": 4}
        assert prefix_of(strategy(freeze=0.5, augment=light)) == Prefix(LITE0, 32, 8, views=4)


class TestPlanning:
    def test_reads_are_the_epochs_that_go_through_it(self) -> None:
        planned = plan_prefixes(job(trials=24, epochs=5, freeze={"choice": [1.0, 0.5]}))
        assert [one.prefix.cut for one in planned.expected] == [8, BLOCKS]
        assert sum(one.reads for one in planned.expected) == pytest.approx(24 * 5)
        assert planned.expected[0].reads == pytest.approx(60, rel=0.2)
        assert len(planned.wanted) == 2

    def test_what_is_met_once_is_not_kept(self) -> None:
        planned = plan_prefixes(job(trials=1, epochs=1, freeze={"choice": [1.0, 0.5]}))
        assert planned.wanted == frozenset()

    def test_more_views_need_more_reads(self) -> None:
        def wanted(views: int) -> int:
            return len(plan_prefixes(job(2, 4, freeze=1.0, augment={"kind": "light", "views": views})).wanted)

        assert (wanted(2), wanted(8)) == (1, 0)

    def test_a_search_that_freezes_nothing_gains_nothing(self) -> None:
        planned = plan_prefixes(job(freeze=0.0))
        assert planned.expected == ()
        assert planned.speed_up(lambda prefix: 0.5).predicted == 1.0

    def test_the_same_job_has_the_same_plan(self) -> None:
        one = job(freeze={"uniform": [0.0, 1.0]})
        assert plan_prefixes(one) == plan_prefixes(one)


class TestSpeedUp:
    @pytest.mark.parametrize(("share", "reads"), [(0.5, 10.0), (0.9, 100.0), (1.0, 50.0)])
    def test_it_is_the_formula(self, share: float, reads: float) -> None:
        plan = PrefixPlan((Expected(Prefix("x", 32, 1), reads, True),), epochs=reads)
        wanted = (share + 3 * (1 - share)) / (3 * (1 - share) + share / reads)
        found = plan.speed_up(lambda prefix: share)
        assert found.predicted == found.ceiling == pytest.approx(wanted)

    def test_passes_count_backward_ones_twice_and_stored_blocks_once(self) -> None:
        def passes(is_kept: bool) -> float:
            plan = PrefixPlan((Expected(Prefix("x", 32, 1), 10.0, is_kept),), epochs=12.0)
            return plan.passes(lambda prefix: 0.5)

        assert passes(False) == pytest.approx(2 * 3 + 10 * (0.5 + 3 * 0.5))
        assert passes(True) == pytest.approx(2 * 3 + 0.5 + 10 * 3 * 0.5)

    def test_what_is_not_kept_gains_nothing_and_could(self) -> None:
        plan = PrefixPlan((Expected(Prefix("x", 32, 1), 10.0, False),), epochs=10.0)
        found = plan.speed_up(lambda prefix: 0.5)
        assert found.predicted == 1.0
        assert found.ceiling > 1.2

    def test_epochs_through_the_whole_network_water_it_down(self) -> None:
        kept = (Expected(Prefix("x", 32, 1), 10.0, True),)
        alone, mixed = PrefixPlan(kept, epochs=10.0), PrefixPlan(kept, epochs=20.0)
        assert mixed.speed_up(lambda _: 1.0).predicted < 2 < alone.speed_up(lambda _: 1.0).predicted
