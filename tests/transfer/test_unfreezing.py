import pytest

from graft.spec.components.unfreezing import Gradual, HeadFirst
from graft.spec.strategy import Strategy
from graft.transfer.adapt import adapt
from graft.transfer.unfreezing import Moment, gradual, head_first


def held(function, spec, steps_per_epoch, epochs, start=0, stop=4):
    moments = (Moment(step, steps_per_epoch, epochs, start, stop) for step in range(steps_per_epoch * epochs))
    return [function(spec, moment).held for moment in moments]


def test_groups_join_from_the_top_every_share_of_the_training():
    assert held(gradual, Gradual(groups=2, until=0.5), 2, 4) == [4, 4, 2, 2, 0, 0, 0, 0]
    assert held(gradual, Gradual(groups=3, until=0.75), 8, 1) == [4, 4, 2, 2, 1, 1, 0, 0]


def test_the_head_is_alone_for_whole_epochs():
    assert held(head_first, HeadFirst(share=0.3), 2, 4) == [4, 4, 0, 0, 0, 0, 0, 0]
    assert held(head_first, HeadFirst(share=0.9), 1, 4, start=2) == [4, 4, 4, 2]
    assert held(head_first, HeadFirst(share=0.01), 1, 3) == [4, 0, 0]
    assert held(head_first, HeadFirst(share=0.5), 4, 1) == [4, 4, 0, 0]
    assert held(head_first, HeadFirst(), 1, 1) == [0]


def test_what_joins_warms_up():
    spec = HeadFirst(share=0.5, warmup=0.2)
    factors = [head_first(spec, Moment(step, 1, 10, 0, 4)).factor for step in range(10)]
    assert factors == pytest.approx([1] * 5 + [1 / 3, 2 / 3, 1, 1, 1])


def test_each_block_learns_at_the_rate_of_its_depth(make_classifier):
    adapted = adapt(make_classifier(), Strategy(lr=0.01, lr_decay=0.5, head_lr_factor=3, freeze=0.25), 0)
    rates = {group["name"]: group["lr"] for group in adapted.groups}
    expected = {"backbone.2": 0.0025, "backbone.3": 0.005, "backbone.4": 0.01, "head": 0.03}
    assert rates == pytest.approx(
        {f"{part}/{kind}": lr for part, lr in expected.items() for kind in ("decay", "no_decay")}
    )


def test_the_stem_learns_slowest(make_classifier):
    adapted = adapt(make_classifier(), Strategy(lr=1.0, lr_decay=0.5), 0)
    assert {group["depth"]: group["lr"] for group in adapted.groups if group["depth"] is not None} == {
        0: 1 / 16,
        1: 1 / 8,
        2: 1 / 4,
        3: 1 / 2,
        4: 1,
    }
