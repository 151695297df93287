"""What is wrong with a structure is told before anything starts, and what it costs is in the plan."""

from typing import Any

import pytest

from graft.pipeline.edits import planned_edits, structure_problems
from graft.spec.job import Job
from graft.spec.load import parse_job

VIT = "timm:vit_tiny_patch16_224"


def job(backbone: str = "efficientnet_lite0", **structure: Any) -> Job:
    strategy = {"backbone": backbone, "structure": structure, "freeze": 1.0, "resolution": 64}
    return parse_job({"name": "x", "data": "digits", "strategy": strategy})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"keep": 0.02},
            "strategy.structure.keep: is 0.02, which keeps none of the 17 blocks of efficientnet_lite0; keep 0.059 at "
            "least, which is one of them",
        ),
        (
            {"keep": {"uniform": [0.01, 1.0]}},
            "strategy.structure.keep: is 0.01, which keeps none of the 17 blocks of efficientnet_lite0; keep 0.059 at "
            "least, which is one of them",
        ),
        (
            {"skip": {"choice": ["none", {"kind": "spread", "share": 0.01}]}},
            "strategy.structure.skip: is skip=spread:0.01, which is none of the 9 residual blocks of "
            "efficientnet_lite0",
        ),
        (
            {"keep": 0.12, "skip": "drawn"},
            "strategy.structure.skip: is drawn, but none of the 2 blocks that are kept of efficientnet_lite0 "
            "gives what it takes in shape",
        ),
        (
            {"backbone": VIT, "pool": {"choice": ["own", "gem"]}},
            "strategy.structure.pool: is gem, but the last block of timm:vit_tiny_patch16_224 pools by itself; leave "
            "it out, or drop that block with keep",
        ),
        (
            {"backbone": "minilm_l6", "deepen": 0.5},
            "strategy.structure.deepen: puts copies behind blocks of minilm_l6, in which a norm follows the sum, so "
            "they would change its function; leave it out",
        ),
        (
            {"backbone": "gru:minilm_l6", "widen": 2.0},
            "strategy.structure.widen: is above 1, but no block of gru:minilm_l6 has a branch whose inner width is "
            "known to grow; leave it out",
        ),
    ],
)
def test_what_leaves_nothing_to_do_is_refused(fields: dict[str, Any], told: str) -> None:
    assert [str(one) for one in structure_problems(job(**fields))] == [told]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"keep": 0.06},
        {"keep": {"uniform": [0.06, 1.0]}, "skip": {"kind": "at", "depths": [0.5]}, "pool": "gem"},
        {"skip": {"kind": "spread", "share": {"uniform": [0.01, 0.5]}}},
        {"backbone": VIT, "keep": 0.5, "pool": "gem"},
    ],
)
def test_what_edits_something_is_none(fields: dict[str, Any]) -> None:
    assert list(structure_problems(job(**fields))) == []


def test_the_costs_of_a_space_dearest_first_each_structure_once() -> None:
    found = planned_edits(job(keep={"choice": [0.5, 1.0, 0.499]}))
    assert [(one.label, one.params) for one in found] == [("whole", 3_371_008), ("keep=0.471", 253_984)]
    assert all((one.whole_params, one.whole_multiply_adds) == (3_371_008, found[0].multiply_adds) for one in found)
    assert found[1].line().startswith("efficientnet_lite0 keep=0.471: 0.254 M parameters, ")


def test_costs_are_known_of_a_network_whose_weights_are_elsewhere() -> None:
    assert [one.label for one in planned_edits(job("timm:resnet18", keep=0.5))] == ["keep=0.5"]


def test_a_range_is_told_by_some_of_its_shares() -> None:
    assert len(planned_edits(job(keep={"uniform": [0.1, 1.0]}))) == 5


def test_a_job_without_structure_has_no_edits() -> None:
    assert planned_edits(parse_job({"name": "x", "data": "digits"})) == ()
