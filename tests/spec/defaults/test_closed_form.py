"""Which heads are solved before anything is trained, and how little of a job's time they may take."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from graft.spec.components.head import HeadSpec
from graft.spec.defaults.closed_form import AHEAD, IN_TURN, SHARE, SLOW, Size, solved_first
from graft.spec.defaults.default_space import recommended
from graft.spec.defaults.scale import Scale
from graft.spec.modalities.image import DigitsData, ImageFolderData, ImageModality, ImageSource
from graft.spec.modalities.text import TextFolderData, TextModality
from graft.spec.registry import members
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.base import TaskSpec
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.multilabel import Multilabel
from graft.spec.tasks.regression import Regression

SIZES = (Size({"resolution": 128}, 0.01), Size({"resolution": 64}, 0.002))
FEW = Scale(400, 100, outputs=5)


def told(one: Mapping[str, Any]) -> tuple[int, float, str]:
    return one["resolution"], one.get("structure", {"keep": 1.0})["keep"], one["head"]


def test_each_of_two_processes_begins_with_a_pass_and_what_is_slow_comes_last() -> None:
    found = solved_first("softmax", SIZES, FEW)
    quick = [one for one in IN_TURN if one != SLOW]
    small, large = ([(side, *one) for one in quick] for side in (64, 128))
    assert [told(one) for one in found.ahead] == [small[0], large[0], *small[1:]]
    assert [told(one) for one in found.beside] == [*large[1:], (64, *SLOW), (128, *SLOW)]


def test_a_training_does_not_wait_where_that_costs_it_much_of_its_time() -> None:
    minutes = 500 * (0.002 + 0.01) / AHEAD / 60
    assert len(solved_first("softmax", SIZES, replace(FEW, minutes=minutes * 1.01)).ahead) == len(IN_TURN)
    found = solved_first("softmax", SIZES, replace(FEW, minutes=minutes * 0.99))
    assert [told(one)[0] for one in found.ahead] == [64]
    assert [told(one)[0] for one in found.beside] == [64, 64, 128, 128, 128, 64, 128]
    assert len(solved_first("softmax", SIZES[:1], FEW).ahead) == 1


def test_a_share_of_the_time_bounds_them() -> None:
    minutes = 500 * (0.002 + 0.01) / SHARE / 60
    assert len(solved_first("softmax", SIZES, replace(FEW, minutes=minutes * 1.01)).all) == 8
    assert len(solved_first("softmax", SIZES, replace(FEW, minutes=minutes * 0.99)).all) == 4
    assert solved_first("softmax", SIZES, replace(FEW, minutes=0.001)).all == ()


@pytest.mark.parametrize(("trials", "count"), [(1, 0), (4, 1), (16, 4), (None, 8)])
def test_a_share_of_the_trials_bounds_them(trials: int | None, count: int) -> None:
    assert len(solved_first("softmax", SIZES, replace(FEW, trials=trials)).all) == count


def test_a_head_is_left_out_where_the_task_cannot_be_solved_by_it_or_not_in_seconds() -> None:
    assert {one["head"] for one in solved_first("identity", SIZES, FEW).all} == {"ridge"}
    assert {one["head"] for one in solved_first("softmax", SIZES, replace(FEW, outputs=10_000)).all} == {"ridge"}
    assert solved_first("", SIZES, FEW).all == ()
    assert solved_first("softmax", SIZES, replace(FEW, training=1_000_000)).all == ()


@pytest.mark.parametrize(
    ("scale", "is_there"),
    [
        (FEW, True),
        (Scale(400, 100, minutes=5, outputs=5), True),
        (Scale(400, 100, outputs=5, trials=8), True),
        (Scale(400, 100, outputs=5, trials=4), False),
        (Scale(400, 100, minutes=1, outputs=5), False),
        (Scale(2400, 601, outputs=5), False),
        (Scale(400, 100, outputs=5000), False),
    ],
)
def test_a_head_on_other_features_is_solved_where_it_takes_seconds(scale: Scale, is_there: bool) -> None:
    (bag,) = TextModality.solved_besides(TextFolderData(path="x"))
    found = solved_first("softmax", (Size({"max_tokens": 64}, 0.002),), scale, [bag])
    assert bag.fields not in found.ahead
    assert (bag.fields in found.beside) == is_there
    assert scale.trials is None or len(found.all) == scale.trials * SHARE
    behind = found.beside[found.beside.index(bag.fields) + 1 :] if is_there else ()
    assert all((one.get("structure", {"keep": 1.0})["keep"], one["head"]) == SLOW for one in behind)


def test_no_training_waits_for_a_head_on_other_features() -> None:
    (bag,) = TextModality.solved_besides(TextFolderData(path="x"))
    found = solved_first("softmax", (Size({"max_tokens": 64}, 1.0),), replace(FEW, minutes=2), [bag])
    assert (found.ahead, found.beside) == ((), (bag.fields,))


@pytest.mark.parametrize(("data", "side"), [(DigitsData(), 96), (ImageFolderData(path="x"), 160)])
@pytest.mark.parametrize("task", [Classification(), Multilabel(), Regression()], ids=lambda one: one.kind)
def test_of_images_one_head_is_solved_on_another_network(data: ImageSource, side: int, task: TaskSpec) -> None:
    strategies = [StrategySpace.parse(one).only() for one in recommended(data, task, FEW).first]
    (other,) = (one for one in strategies if one.backbone != ImageModality.default_backbone)
    assert (other.backbone, other.head.kind, other.freeze) == ("efficientnet_lite1", "ridge", 1)
    assert other.plain("resolution") == side


def test_the_other_network_is_asked_where_there_is_time_for_its_pass() -> None:
    (other,) = ImageModality.solved_besides(ImageFolderData(path="x"))
    enough = 10_000 * other.seconds_each / SHARE / 60
    for minutes, is_there in ((enough * 1.01, True), (enough * 0.99, False)):
        assert other.suits("softmax", Scale(8_000, 2_000, minutes=minutes, outputs=5)) == is_there


@pytest.mark.parametrize("task", [Classification(), Multilabel(), Regression()], ids=lambda one: one.kind)
@pytest.mark.parametrize(
    "data", [DigitsData(), ImageFolderData(path="x"), TextFolderData(path="x")], ids=lambda one: one.kind
)
def test_every_default_search_begins_with_them(data: object, task: object) -> None:
    found = recommended(data, task, FEW)  # type: ignore[arg-type]
    strategies = [StrategySpace.parse(one).only() for one in found.first]
    solved = [one for one in strategies if one.head.is_solved]
    # The longest training begins beside them, behind those that are quick.
    ahead = len(solved_first(task.link, members("modality")[data.modality].feature_sizes(data), FEW).ahead)  # type: ignore[attr-defined]
    assert [*strategies[:ahead], *strategies[ahead + 1 : len(solved) + 1]] == solved
    assert not strategies[ahead].head.is_solved
    assert 4 <= len(solved) < len(strategies)
    assert all(isinstance(one.head, HeadSpec) and one.freeze == 1 for one in solved)
    assert len({one.canonical(17).key() for one in solved}) == len(solved)
