"""The grid: every combination once, and the first few points have seen every option."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.search.searchers.grid import GridSearch
from graft.spec.components.penalty import L2SP
from graft.spec.search.searchers import GridSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named


def grid(raw: dict[str, Any], points: int = 3, seed: int = 0) -> GridSearch:
    return GridSearch(GridSearcher(points=points), StrategySpace.parse(raw), metric_named("accuracy"), seed)


def everything(searcher: GridSearch) -> list[Strategy]:
    found = [searcher.draw(index, ()) for index in range(searcher.size)]
    assert searcher.draw(searcher.size, ()) is None
    return [one for one in found if one is not None]


choices = st.integers(1, 4).map(lambda count: {"choice": [0.1 * place for place in range(count)]})
penalties = st.lists(
    st.sampled_from(["none", "l1"])
    | st.builds(
        lambda strength: {"kind": "l2_sp", "strength": strength, "head_strength": {"choice": [0.1, 0.2]}},
        st.integers(1, 3).map(lambda count: {"choice": [0.1 + place for place in range(count)]}),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one if isinstance(one, str) else one["kind"],
).map(lambda options: {"choice": options})


@given(choices, choices, choices, penalties, st.integers(0, 9))
def test_every_combination_comes_once(freeze: Any, decay: Any, factor: Any, penalty: Any, seed: int) -> None:
    raw = {"freeze": freeze, "weight_decay": decay, "loss": {"kind": "cross_entropy", "label_smoothing": factor}}
    raw["penalty"] = penalty
    found = everything(grid(raw, seed=seed))
    assert len(set(found)) == len(found) == StrategySpace.parse(raw).grid_size()


@given(choices, choices, choices, st.integers(0, 9))
def test_as_many_draws_as_a_key_has_options_have_seen_them_all(freeze: Any, decay: Any, lr: Any, seed: int) -> None:
    raw = {"freeze": freeze, "weight_decay": decay, "augment": {"kind": "light", "share": lr}}
    found = everything(grid(raw, seed=seed))
    assert {one.freeze for one in found[: len(freeze["choice"])]} == set(freeze["choice"])
    assert {one.weight_decay for one in found[: len(decay["choice"])]} == set(decay["choice"])
    assert {one.augment.share for one in found[: len(lr["choice"])]} == set(lr["choice"])


def test_ranges_are_tried_at_evenly_spaced_points_and_both_bounds() -> None:
    assert sorted(one.lr for one in everything(grid({"lr": {"loguniform": [1e-4, 1e-1]}}, 4))) == pytest.approx(
        [1e-4, 1e-3, 1e-2, 1e-1]
    )
    assert sorted(one.freeze for one in everything(grid({"freeze": {"uniform": [0, 1]}}, 5))) == [0, 0.25, 0.5, 0.75, 1]
    assert [one.freeze for one in everything(grid({"freeze": {"uniform": [0, 1]}}, 1))] == [0.5]


@pytest.mark.parametrize(
    ("points", "expected"), [(1, {4}), (2, {2, 6}), (3, {2, 4, 6}), (5, {2, 3, 4, 5, 6}), (9, {2, 3, 4, 5, 6})]
)
def test_whole_numbers_are_tried_at_most_once_each(points: int, expected: set[int]) -> None:
    found = [one.batch_size for one in everything(grid({"batch_size": {"randint": [2, 6]}}, points))]
    assert len(found) == len(expected)
    assert set(found) == expected


def test_what_is_inside_an_option_is_combined_only_with_it() -> None:
    inner = {"kind": "l2_sp", "strength": {"loguniform": [1e-4, 1e-1]}}
    found = everything(grid({"penalty": {"choice": ["none", "l1", inner]}, "freeze": {"choice": [0.0, 0.5]}}, 3))

    assert len(found) == (1 + 1 + 3) * 2
    assert {one.penalty.kind for one in found[:3]} == {"none", "l1", "l2_sp"}
    assert len({one.penalty.strength for one in found if isinstance(one.penalty, L2SP)}) == 3


def test_a_grid_without_end_is_never_listed() -> None:
    wide = {name: {"uniform": [0.1, 0.9]} for name in ("lr", "freeze", "weight_decay", "head_lr_factor")}
    searcher = grid({**wide, "batch_size": {"randint": [2, 5000]}, "resolution": {"randint": [16, 1000]}}, 1000)

    assert searcher.size == 1000**4 * 1000 * 985
    assert len({searcher.draw(index, ()) for index in range(100)}) == 100
    assert searcher.draw(searcher.size - 1, ()) is not None
    assert searcher.draw(searcher.size, ()) is None


def test_the_seed_changes_the_order_and_not_the_points() -> None:
    raw = {"freeze": {"choice": [0.0, 0.5, 1.0]}, "lr": {"loguniform": [1e-4, 1e-1]}}
    one, other = everything(grid(raw, 3, seed=0)), everything(grid(raw, 3, seed=1))
    assert one != other
    assert set(one) == set(other)
