from typing import Any

import pytest

from graft.pipeline.dry_build import tuning_problems
from graft.spec.job import Job
from graft.spec.load import parse_job


def job(**strategy: Any) -> Job:
    return parse_job({"version": 1, "name": "x", "data": {"kind": "digits"}, "strategy": strategy})


def test_a_target_that_matches_nothing_at_some_depth_is_told_with_the_names_that_exist() -> None:
    targets = {"choice": [{"kind": "lora", "targets": [one]} for one in ("query", "conv_pw")]}
    found = [str(one) for one in tuning_problems(job(freeze={"choice": [0.0, 0.95]}, tune=targets))]
    assert sorted(found) == [
        "strategy.tune: names the target `conv_pw`, which matches no layer that can have an adapter in the blocks that "
        "train; there are `conv_head` (of efficientnet_lite0, freeze 0.95)",
        "strategy.tune: names the target `query`, which matches no layer that can have an adapter in the blocks that "
        "train; there are `conv_head` (of efficientnet_lite0, freeze 0.95)",
        "strategy.tune: names the target `query`, which matches no layer that can have an adapter in the blocks that "
        "train; there are `conv_stem`, `conv_pw`, `conv_pwl`, `conv_head` (of efficientnet_lite0, freeze 0)",
    ]


@pytest.mark.parametrize("tune", ["all", "norms", "biases", "ia3", {"kind": "lora", "targets": ["conv_*"]}])
def test_tunings_that_find_something_are_not_told(tune: Any) -> None:
    assert not [*tuning_problems(job(freeze={"choice": [0.0, 0.5, 1.0]}, tune=tune))]
