"""The tree of a space: every distribution once, with what must be so for it to be there."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from graft.spec.components.skip import Depth
from graft.spec.space.enumeration import MOST, distinct, strategies_in
from graft.spec.space.space import StrategySpace
from graft.spec.space.tree import lines_of, tree_of

SPACE = StrategySpace.parse(
    {
        "freeze": {"choice": [0.0, 1.0]},
        "lr": {"loguniform": [1e-4, 1e-2]},
        "structure": {"keep": {"uniform": [0.5, 1.0]}, "skip": {"choice": ["none", {"kind": "drawn", "seed": 3}]}},
        "penalty": {"choice": ["none", {"kind": "l2", "strength": {"choice": [0.1, 0.2]}}]},
        "head": {"kind": "mlp", "width": {"randint": [8, 16]}},
        "resolution": 32,
    }
)


def nodes(fields: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in fields:
        yield one
        yield from nodes(one.get("fields", []))
        for option in one.get("options", []):
            yield from nodes(option.get("fields", []))


def test_every_distribution_is_in_it_under_its_key() -> None:
    tree = tree_of(SPACE)
    json.dumps(tree)
    found = {one["key"]: one["distribution"] for one in nodes(tree) if "distribution" in one}
    assert found.keys() == SPACE.distributions().keys()
    assert found["head.mlp.width"] == "randint"
    assert {"low": 1e-4, "high": 1e-2}.items() <= next(one for one in tree if one["name"] == "lr").items()


def test_what_is_inside_an_option_says_of_which() -> None:
    by_key = {one["key"]: one for one in nodes(tree_of(SPACE))}
    assert by_key["penalty"]["when"] == []
    assert by_key["penalty.l2.strength"]["when"] == [{"key": "penalty", "option": 1}]
    assert by_key["head.mlp.width"]["when"] == []
    assert by_key["structure.keep"]["when"] == []


def test_what_a_field_needs_is_told_of_parts_and_behind_solved_heads_too() -> None:
    asked = {"freeze": 1.0, "lr": 0.01, "structure": {"widen": {"choice": [1.0, 2.0]}, "keep": 0.5}, "tune": "norms"}
    for head in ("linear", {"choice": ["linear", "ridge"]}):
        by_key = {one["key"]: one for one in nodes(tree_of(StrategySpace.parse({**asked, "head": head})))}
        trained = "" if head == "linear" else "head is trained, not solved"
        assert (by_key["lr"]["needs"] or "") == trained
        assert by_key["tune"]["needs"].startswith(f"{trained}; pretrained blocks".lstrip("; "))
        assert by_key["structure.widen"]["needs"].startswith("blocks are trained")
        assert by_key["freeze"]["needs"] is by_key["structure.keep"]["needs"] is by_key["head"]["needs"] is None


def test_the_lines() -> None:
    told = ["  " * line.depth + f"{line.name} {line.text}".rstrip() for line in lines_of(SPACE)]
    assert told == [
        "structure",
        "  keep 0.5 to 1",
        "  skip none | drawn",
        "    if drawn",
        "      seed 3",
        "freeze 0 | 1",
        "penalty none | l2",
        "  if l2",
        "    strength 0.1 | 0.2",
        "head mlp",
        "  width 8 to 16",
        "lr 0.0001 to 0.01 (log)",
        "resolution 32",
    ]


class TestDistinct:
    def test_strategies_that_train_the_same_model_count_once(self) -> None:
        penalties = {"choice": ["none", {"kind": "l2_sp", "head_strength": 0.0}]}
        space = StrategySpace.parse({"freeze": {"choice": [0.74, 0.76, 1.0]}, "penalty": penalties})
        assert len(list(strategies_in(space))) == space.grid_size() == 6
        assert distinct(space, lambda _: None) == 5
        assert distinct(space, lambda _: 4) == 3

    def test_structures_too(self) -> None:
        keep, skip = {"choice": [1.0, 0.99, 0.5]}, {"choice": ["none", {"kind": "spread", "share": 0.1}]}
        space = StrategySpace.parse({"structure": {"keep": keep, "skip": skip}})
        assert distinct(space, lambda _: Depth(8, (2, 3))) == 2

    def test_no_end_has_no_count(self) -> None:
        assert distinct(SPACE, lambda _: None) is None
        with pytest.raises(ValueError, match="no end"):
            strategies_in(SPACE)
        many = StrategySpace.parse({"batch_size": {"randint": [2, MOST + 2]}})
        assert distinct(many, lambda _: None) is None

    def test_ranges_of_whole_numbers_are_counted_out(self) -> None:
        space = StrategySpace.parse({"batch_size": {"randint": [2, 5]}})
        assert [one.batch_size for one in strategies_in(space)] == [2, 3, 4, 5]
