"""Which heads are solved before anything is trained, and how little of a job's time they may take."""

import pytest

from graft.spec.components.head import HeadSpec
from graft.spec.defaults.closed_form import IN_TURN, SHARE, Size, solved_first
from graft.spec.defaults.default_space import recommended
from graft.spec.defaults.scale import Scale
from graft.spec.modalities.image import DigitsData, ImageFolderData
from graft.spec.modalities.text import TextFolderData
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.multilabel import Multilabel
from graft.spec.tasks.regression import Regression

SIZES = (Size({"resolution": 128}, 0.01), Size({"resolution": 64}, 0.002))
FEW = Scale(400, 100, outputs=5)


def test_the_cheapest_features_come_first_with_every_head_and_depth() -> None:
    found = solved_first("softmax", SIZES, FEW)
    assert [one["resolution"] for one in found] == [64] * 4 + [128] * 4
    assert [(one.get("structure", {"keep": 1.0})["keep"], one["head"]) for one in found[:4]] == list(IN_TURN)


def test_a_share_of_the_time_bounds_them() -> None:
    minutes = 500 * (0.002 + 0.01) / SHARE / 60
    assert len(solved_first("softmax", SIZES, Scale(400, 100, minutes=minutes * 1.01, outputs=5))) == 8
    assert len(solved_first("softmax", SIZES, Scale(400, 100, minutes=minutes * 0.99, outputs=5))) == 4
    assert solved_first("softmax", SIZES, Scale(400, 100, minutes=0.001, outputs=5)) == ()


@pytest.mark.parametrize(("trials", "count"), [(1, 0), (4, 1), (16, 4), (None, 8)])
def test_a_share_of_the_trials_bounds_them(trials: int | None, count: int) -> None:
    assert len(solved_first("softmax", SIZES, Scale(400, 100, outputs=5, trials=trials))) == count


def test_a_head_is_left_out_where_the_task_cannot_be_solved_by_it_or_not_in_seconds() -> None:
    assert {one["head"] for one in solved_first("identity", SIZES, FEW)} == {"ridge"}
    assert {one["head"] for one in solved_first("softmax", SIZES, Scale(400, 100, outputs=10_000))} == {"ridge"}
    assert solved_first("", SIZES, FEW) == ()
    assert solved_first("softmax", SIZES, Scale(1_000_000, 100, outputs=5)) == ()


@pytest.mark.parametrize("task", [Classification(), Multilabel(), Regression()], ids=lambda one: one.kind)
@pytest.mark.parametrize(
    "data", [DigitsData(), ImageFolderData(path="x"), TextFolderData(path="x")], ids=lambda one: one.kind
)
def test_every_default_search_begins_with_them(data: object, task: object) -> None:
    found = recommended(data, task, FEW)  # type: ignore[arg-type]
    strategies = [StrategySpace.parse(one).only() for one in found.first]
    solved = [one for one in strategies if one.head.is_solved]
    # The longest training begins second, beside them.
    assert [strategies[0], *strategies[2 : len(solved) + 1]] == solved
    assert not strategies[1].head.is_solved
    assert 4 <= len(solved) < len(strategies)
    assert all(isinstance(one.head, HeadSpec) and one.freeze == 1 for one in solved)
    assert len({one.canonical(17).key() for one in solved}) == len(solved)
