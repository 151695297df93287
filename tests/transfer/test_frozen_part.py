import subprocess
import sys

import pytest

from graft.spec.strategy import Strategy
from graft.transfer.adapt import adapt
from graft.transfer.frozen_part import FrozenPart, frozen_part


def part_of(num_blocks=4, **fields):
    return frozen_part(Strategy.model_validate(fields), num_blocks)


@pytest.mark.parametrize(
    ("fields", "cut", "redrawn"),
    [
        ({}, 0, 0),
        ({"freeze": 0.5}, 2, 0),
        ({"freeze": 0.74}, 3, 0),
        ({"freeze": 1.0}, 4, 0),
        ({"freeze": 1.0, "init": {"kind": "reinitialise", "blocks": 1}}, 3, 1),
        ({"freeze": 0.25, "init": {"kind": "reinitialise", "blocks": 2}}, 1, 2),
        ({"freeze": 1.0, "init": {"kind": "reinitialise", "blocks": 9}}, 0, 4),
    ],
)
def test_a_strategy_divides_the_blocks(fields, cut, redrawn):
    part = part_of(**fields)
    assert (part.cut, part.redrawn) == (cut, redrawn)


@pytest.mark.parametrize(
    ("part", "fields", "trained"),
    [
        ("first", {}, (0, 2)),
        ("middle", {}, (1, 3)),
        ("last", {}, (2, 4)),
        ("middle", {"freeze": 0.5}, (2, 4)),
        ("last", {"freeze": 0.25}, (2, 4)),
        ("first", {"freeze": 1.0}, (4, 4)),
        ("last", {"init": "reinitialise"}, (1, 3)),
        ("middle", {"init": {"kind": "reinitialise", "blocks": 9}}, (0, 0)),
    ],
)
def test_a_surgical_tuning_divides_those_above_the_cut(part, fields, trained):
    found = part_of(tune={"kind": "surgical", "part": part, "blocks": 2}, **fields)
    assert (found.cut, found.stop) == trained


@pytest.mark.parametrize("freeze", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("init", ["pretrained", {"kind": "reinitialise", "blocks": 2}])
def test_it_is_the_division_that_training_uses(make_classifier, freeze, init):
    strategy = Strategy.model_validate({"freeze": freeze, "init": init})
    adapted, part = adapt(make_classifier(), strategy, 0), frozen_part(strategy, 4)
    assert adapted.cut == part.cut
    assert {name.split(".")[2] for name in adapted.redrawn} == {str(4 - 1 - i) for i in range(part.redrawn)}


@pytest.mark.parametrize(
    ("augment", "views"),
    [
        ("none", 0),
        ("light", None),
        ({"kind": "light", "views": 3}, 3),
        ({"kind": "light", "magnitude": 0.0}, 0),
        ({"kind": "light", "share": 0.0, "views": 3}, 0),
    ],
)
def test_views_are_those_of_the_augmentation(augment, views):
    assert part_of(freeze=0.5, augment=augment).views == views


@pytest.mark.parametrize(
    ("part", "is_constant"),
    [
        (FrozenPart(0, 0, 4, 0), False),
        (FrozenPart(2, 0, 4, 0), True),
        (FrozenPart(2, 1, 3, 3), True),
        (FrozenPart(2, 0, 4, None), False),
        (FrozenPart(0, 0, 4, None), False),
    ],
)
def test_only_frozen_blocks_that_see_the_same_samples_again_are_constant(part, is_constant):
    assert part.is_constant is is_constant


def test_it_is_known_without_torch():
    script = (
        "import sys\n"
        "from graft.spec.strategy import Strategy\n"
        "from graft.transfer.frozen_part import frozen_part\n"
        "assert frozen_part(Strategy(freeze=0.5), 4).cut == 2\n"
        "print([module for module in ('torch', 'timm', 'numpy') if module in sys.modules])\n"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
