"""Which blocks rest at first, for how long, and whether what they give is worth being stored."""

from typing import Any

import pytest

from graft.learner.phases.head_phase import head_epochs, head_prefix_of
from graft.learner.prefix import Prefix, prefix_of
from graft.learner.prefix_plan import plan_prefixes
from graft.models.load import describe_backbone
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

LITE0 = "efficientnet_lite0"
BLOCKS = describe_backbone(LITE0).num_blocks
WHOLE = Prefix(LITE0, 32, BLOCKS)
VIEWS = {"kind": "light", "views": 4}


def strategy(**changes: Any) -> Strategy:
    return Strategy.model_validate({"backbone": LITE0, "resolution": 32, **changes})


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"unfreeze": "head_first"}, WHOLE),
        ({"unfreeze": "gradual", "tune": "lora"}, WHOLE),
        ({"unfreeze": "head_first", "freeze": 0.5}, WHOLE),
        ({"unfreeze": "head_first", "init": {"kind": "reinitialise", "blocks": 3}}, Prefix(LITE0, 32, BLOCKS - 3)),
        ({"unfreeze": "head_first", "tune": {"kind": "surgical", "blocks": 2}}, Prefix(LITE0, 32, 2)),
        ({"unfreeze": "head_first", "augment": VIEWS}, Prefix(LITE0, 32, BLOCKS, views=4)),
        ({"unfreeze": "head_first", "augment": "light"}, None),
        ({"unfreeze": "head_first", "mix": "mixup"}, None),
        ({"unfreeze": "head_first", "penalty": "delta"}, None),
        ({"unfreeze": "head_first", "freeze": 1.0}, None),
        ({"head_start": "closed_form"}, WHOLE),
        ({"head_start": "closed_form", "augment": "light"}, WHOLE),
        ({"head_start": "closed_form", "head": "mlp"}, None),
        ({"head_start": "closed_form", "freeze": 1.0}, None),
        ({}, None),
    ],
)
def test_what_rests_at_first(changes: dict[str, Any], wanted: Prefix | None) -> None:
    assert head_prefix_of(strategy(**changes)) == wanted


def test_it_is_what_a_linear_probe_reads() -> None:
    assert head_prefix_of(strategy(unfreeze="head_first")) == prefix_of(strategy(freeze=1.0))


@pytest.mark.parametrize(
    ("changes", "epochs", "wanted"),
    [
        ({"unfreeze": {"kind": "head_first", "share": 0.3}}, 10, 3),
        ({"unfreeze": {"kind": "head_first", "share": 0.9}}, 2, 1),
        ({"unfreeze": "head_first"}, 1, 0),
        ({"unfreeze": {"kind": "gradual", "groups": 2, "until": 0.5}}, 8, 2),
        ({"unfreeze": {"kind": "gradual", "groups": 3, "until": 0.5}}, 8, 1),
        ({"unfreeze": "head_first", "augment": "light"}, 10, 0),
        ({"head_start": "closed_form"}, 10, 0),
    ],
)
def test_for_how_many_epochs(changes: dict[str, Any], epochs: int, wanted: int) -> None:
    assert head_epochs(strategy(**changes), epochs, steps_per_epoch=7) == wanted


def plan(trials: int, **changes: Any) -> list[tuple[Prefix, float, float, bool]]:
    raw = {"name": "x", "data": "digits", "training": {"epochs": 10}}
    search = {"scheduler": "none", "budget": {"trials": trials}}
    job = parse_job({**raw, "search": search, "strategy": {"backbone": LITE0, "resolution": 32, **changes}})
    planned = plan_prefixes(job)
    assert planned.speed_up(lambda prefix: 1.0).predicted >= 1
    return [(one.prefix, round(one.reads, 6), round(one.starts, 6), one.is_kept) for one in planned.expected]


def test_the_epochs_of_the_head_are_counted() -> None:
    assert plan(4, unfreeze={"kind": "head_first", "share": 0.3}) == [(WHOLE, 12, 0, True)]


def test_epochs_are_divided_among_what_rests_and_what_is_frozen() -> None:
    found = plan(4, unfreeze={"kind": "head_first", "share": 0.3}, freeze=0.5)
    assert found == [(Prefix(LITE0, 32, 8), 28, 0, True), (WHOLE, 12, 0, True)]


def test_one_start_is_not_worth_it_and_two_are() -> None:
    assert plan(1, head_start="closed_form") == [(WHOLE, 0, 1, False)]
    assert plan(2, head_start="closed_form") == [(WHOLE, 0, 2, True)]
