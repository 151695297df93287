from typing import Any

import pytest

from graft.pipeline.dry_build import problems_in_backbones
from graft.spec.job import Job
from graft.spec.load import parse_job


def job(**strategy: Any) -> Job:
    return parse_job({"version": 1, "name": "x", "data": {"kind": "digits"}, "strategy": strategy})


def test_a_target_that_matches_nothing_at_some_depth_is_told_with_the_names_that_exist() -> None:
    targets = {"choice": [{"kind": "lora", "targets": [one]} for one in ("query", "conv_pw")]}
    found = [str(one) for one in problems_in_backbones(job(freeze={"choice": [0.0, 0.95]}, tune=targets))]
    assert sorted(found) == [
        "strategy.tune.targets: names the target `conv_pw`, which matches no layer that can have an adapter in "
        "the blocks that train; there are `conv_head` (of efficientnet_lite0, freeze 0.95)",
        "strategy.tune.targets: names the target `query`, which matches no layer that can have an adapter in "
        "the blocks that train; there are `conv_head` (of efficientnet_lite0, freeze 0.95)",
        "strategy.tune.targets: names the target `query`, which matches no layer that can have an adapter in "
        "the blocks that train; there are `conv_stem`, `conv_pw`, `conv_pwl`, `conv_head` "
        "(of efficientnet_lite0, freeze 0)",
    ]


@pytest.mark.parametrize("tune", ["all", "norms", "biases", "ia3", {"kind": "lora", "targets": ["conv_*"]}])
def test_tunings_that_find_something_are_not_told(tune: Any) -> None:
    assert not [*problems_in_backbones(job(freeze={"choice": [0.0, 0.5, 1.0]}, tune=tune))]


def test_a_chance_without_a_place_is_told_for_the_strategies_that_are_tried_first_too() -> None:
    first = [{"backbone": "minilm_l6", "stochastic_norm": 0.5}, {"backbone": "efficientnet_lite0", "freeze": 1.0}]
    told = {"version": 1, "name": "x", "data": {"kind": "digits"}, "search": {"first": first}}
    found = [str(one) for one in problems_in_backbones(parse_job(told))]
    assert found == [
        "strategy.stochastic_norm: is 0.5, but the trained blocks of minilm_l6 have no batch norms; leave it out "
        "(of minilm_l6, freeze 0)"
    ]


def test_a_tuning_that_is_tried_first_is_told_before_a_run() -> None:
    first = [{"tune": {"kind": "lora", "targets": ["query"]}}]
    told = {"version": 1, "name": "x", "data": {"kind": "digits"}, "search": {"first": first}}
    (found,) = problems_in_backbones(parse_job(told))
    assert "names the target `query`, which matches no layer" in found.message
