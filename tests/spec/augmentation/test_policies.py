"""Policies as a job names them, and as a search varies them."""

import random
from typing import Any

import pytest

from graft.core.errors import SpecError
from graft.pipeline.resolve import resolve_job
from graft.search.perturb import rebuilt
from graft.spec.augmentation.mixing import MixUp
from graft.spec.load import parse_job
from graft.spec.space.describe import describe_space
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

LISTS = [["flip"], ["crop", {"name": "blur", "probability": 1.0}]]
SPACE = {
    "augment": {
        "choice": [
            "none",
            {"kind": "rand", "magnitude": {"uniform": [0.1, 0.5]}, "operations": {"choice": [1, 2]}},
            {"kind": "custom", "share": {"uniform": [0.2, 1.0]}, "operations": {"choice": LISTS}},
        ]
    }
}


def test_a_list_of_operations_is_a_value_of_a_space() -> None:
    space = StrategySpace.parse(SPACE)
    assert StrategySpace.parse(space.dump()) == space
    drawn = [space.sample(random.Random(seed)).augment for seed in range(40)]
    lists = {tuple(one.name for one in found.operations) for found in drawn if found.kind == "custom"}  # type: ignore[attr-defined]
    assert lists == {("flip",), ("crop", "blur")}
    assert "custom (share 0.2 to 1, operations flip 0.5 at 0.5 or crop 0.5 at 0.5, blur 0.5 at 1)" in describe_space(
        space
    )


def test_a_search_finds_its_way_back_to_the_list_that_was_drawn() -> None:
    space = StrategySpace.parse(SPACE)
    for seed in range(40):
        strategy = space.sample(random.Random(seed))
        at = space.coordinates(strategy)
        if strategy.augment.kind == "custom":
            names = [one.name for one in strategy.augment.operations]  # type: ignore[attr-defined]
            assert at["augment.custom.operations"] == [["flip"], ["crop", "blur"]].index(names)


def test_flat_values_are_plain() -> None:
    custom = {"kind": "custom", "operations": ["flip", {"name": "rotate", "magnitude": 0.2}]}
    assert Strategy.model_validate({"augment": custom}).flat()["augment.operations"] == "flip 0.5 0.5, rotate 0.5 0.2"


@pytest.mark.parametrize(
    ("operations", "told"),
    [
        (["fly"], "augment.operations[0].name: is `fly`, but must be one of flip, rotate"),
        ([], "augment.operations: has 0 items, but must have at least 1"),
        ("flip", "augment.operations: is the text 'flip', but must be a list"),
        ([{"name": "flip", "chance": 1}], "augment.operations[0].chance: is not a key of an item of the list"),
        (
            [{"name": "flip", "probability": 2.0}],
            "augment.operations[0].probability: is 2.0, but must be between 0 and 1",
        ),
    ],
)
def test_what_is_wrong_with_a_list_is_told_at_its_place(operations: Any, told: str) -> None:
    with pytest.raises(SpecError) as raised:
        StrategySpace.parse({"augment": {"kind": "custom", "operations": operations}})
    assert told in str(raised.value)


def job(data: dict[str, Any], augment: Any) -> Any:
    return parse_job({"name": "x", "data": data, "strategy": {"augment": augment}})


@pytest.mark.parametrize("augment", [{"kind": "custom", "operations": ["flip"]}, SPACE["augment"]])
def test_a_mirror_image_that_the_data_exclude_is_refused(augment: Any) -> None:
    with pytest.raises(SpecError, match=r"strategy.augment: has the operation flip, but data.flip is none"):
        resolve_job(job({"kind": "digits"}, augment))


@pytest.mark.parametrize("augment", ["custom", {"kind": "custom", "operations": ["rotate"]}, "trivial"])
def test_what_fits_the_data_is_not(augment: Any) -> None:
    assert resolve_job(job({"kind": "digits"}, augment)).job


def test_what_a_strategy_leaves_out_when_it_is_written_has_coordinates_all_the_same() -> None:
    space = StrategySpace.parse({"mix": {"choice": ["none", {"kind": "mixup", "alpha": {"uniform": [0.1, 1.0]}}]}})
    none, mixed = Strategy(), Strategy(mix=MixUp(alpha=0.4))
    assert "mix" not in none.model_dump(mode="json")
    assert space.coordinates(none) == {"mix": 0}
    assert space.coordinates(mixed) == {"mix": 1, "mix.mixup.alpha": 0.4}
    back = rebuilt(space, mixed, ["mix"], lambda key, distribution: distribution.options[0])
    assert back == none
    assert mixed.architecture() == none.architecture(), "weights are the same, however samples are mixed"
