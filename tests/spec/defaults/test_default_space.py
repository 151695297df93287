"""A job of a name and data searches a space that suits its samples and its task; one with a strategy, its own."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import yaml

from graft.core.errors import SpecError
from graft.spec.defaults.default_space import completed, completed_first, default_space, recommended
from graft.spec.defaults.scale import Scale
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.modalities.base import DataSpec, ModalitySpec
from graft.spec.registry import members
from graft.spec.search.phases import describe
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.auto import AutoTask
from graft.spec.tasks.classification import Classification

TEXTS = {"kind": "table", "path": "/t.csv", "text": "text", "label": "label"}
PHOTOS = {"kind": "table", "path": "/t.csv", "image": "file", "label": "label"}
KINDS: list[Any] = [
    "digits",
    {"kind": "idx", "path": "/d"},
    {"kind": "image_folder", "path": "/d"},
    {"kind": "text_folder", "path": "/d"},
    "wordnet",
    TEXTS,
    PHOTOS,
]
TASKS = ["classification", "multilabel", "regression"]


def job(data: Any, **sections: Any) -> Job:
    return parse_job({"name": "x", "data": data, **sections})


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("data", KINDS, ids=str)
def test_every_kind_of_data_and_task_has_a_real_space(data: Any, task: str) -> None:
    found = job(data, task=task)
    assert not found.strategy.dump()
    assert found.space.grid_size() is None
    assert {"freeze", "lr"} <= set(found.space.distributions())
    assert describe(found.phases, found.space.grid_size()).startswith("16 trials")
    # What it holds may be written into a job, and is a space of this task.
    again = job(data, task=task, strategy=completed({}, found.data, found.decided_task))
    assert again.strategy.values("loss") == (found.decided_task.default_loss,)
    assert again.space == again.strategy


def test_labels_of_classes_are_smoothed_others_are_not() -> None:
    assert "label_smoothing: 0.1" in yaml.safe_dump(job(TEXTS, task="classification").space.dump())
    assert "loss" not in job(TEXTS, task="regression").space.dump()
    assert "loss" not in job(TEXTS).space.dump(), "the labels of a table have not been looked at"


def test_small_images_stay_small() -> None:
    assert job("digits").space.values("resolution") == (32,)
    assert job({"kind": "idx", "path": "/d"}).space.values("resolution") == (32,)
    assert job(PHOTOS).space.values("resolution") == (128,)


def test_digits_are_not_enlarged_beyond_what_pays() -> None:
    digits, scale = job("digits"), Scale(1000, 300, minutes=15, outputs=10)
    usual = recommended(digits.data, digits.decided_task, scale)
    best = recommended(digits.data, digits.decided_task, replace(scale, preset="best"))
    clothes = job({"kind": "idx", "path": "/d"})
    assert (usual.space["resolution"], best.space["resolution"]) == (32, 32)
    assert recommended(clothes.data, clothes.decided_task, scale).space["resolution"] == 128


@pytest.mark.parametrize(("minutes", "side"), [(None, 128), (2, 96), (5, 128), (8, 160), (15, 160)])
def test_more_time_buys_larger_pictures(minutes: float | None, side: int) -> None:
    photos = job(PHOTOS)
    found = recommended(photos.data, Classification(), Scale(400, 100, minutes=minutes, outputs=8))
    assert found.space["resolution"] == side


@pytest.mark.parametrize("strategy", [{"lr": 0.01}, {"resolution": 96}, {"freeze": {"choice": [0.0, 1.0]}}], ids=str)
def test_a_strategy_of_its_own_is_searched_alone(strategy: dict[str, Any]) -> None:
    found = job("digits", strategy=strategy)
    assert found.space == found.strategy == StrategySpace.parse(strategy)


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ({"lr": 0.01}, "1 trial (asha)"),
        ({"freeze": {"choice": [0.0, 1.0]}, "lr": {"choice": [0.01, 0.02]}}, "4 trials (asha)"),
        ({"batch_size": {"randint": [8, 10]}}, "3 trials (asha)"),
        ({"lr": {"loguniform": [0.01, 0.02]}}, "16 trials (asha)"),
    ],
    ids=["one", "grid", "whole numbers", "without end"],
)
def test_no_more_trials_are_announced_than_there_are_strategies(strategy: dict[str, Any], told: str) -> None:
    found = job("digits", strategy=strategy)
    assert describe(found.phases, found.space.grid_size()).startswith(told)
    unlimited = job("digits", strategy=strategy, search={"budget": {"minutes": 5}})
    wanted = told if "16" not in told else "trials until the budget ends"
    assert describe(unlimited.phases, unlimited.space.grid_size()).startswith(wanted)


def test_a_population_has_something_to_change() -> None:
    assert job(TEXTS, search={"scheduler": "pbt"}).phases[0].is_population_based
    assert job("digits", search={"scheduler": "pb2"}).phases[0].is_population_based


def test_a_modality_of_strangers_has_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sounds(ModalitySpec):
        kind: Literal["sound"] = "sound"

    class Recordings(DataSpec):
        kind: Literal["recordings"] = "recordings"
        default_space: ClassVar[dict[str, Any]] = {"batch_size": 8}

        @property
        def modality(self) -> str:
            return "sound"

    monkeypatch.setattr("graft.spec.defaults.default_space.members", lambda group: {**members(group), "sound": Sounds})
    found = StrategySpace.parse(default_space(Recordings(), AutoTask()))
    assert set(found.distributions()) == {"freeze", "lr"}
    assert found.values("batch_size") == (8,)


def test_the_page_shows_the_spaces_there_are() -> None:
    page = (Path(__file__).parents[3] / "docs" / "defaults.md").read_text()
    shown = [yaml.safe_load(block)["strategy"] for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert [StrategySpace.parse(one) for one in shown] == [job(PHOTOS).space, job(TEXTS).space]


def test_what_is_tried_first_takes_from_the_space_what_it_leaves_out() -> None:
    space = {"backbone": {"choice": ["b", "c"]}, "resolution": 96, "lr": {"loguniform": [0.1, 1.0]}, "loss": "focal"}
    assert completed_first({"freeze": 1.0}, space) == {
        "backbone": "b",
        "resolution": 96,
        "loss": "focal",
        "freeze": 1.0,
    }
    assert completed_first({"backbone": "c", "resolution": 64}, space)["resolution"] == 64


def test_all_that_may_be_tried_is_in_reach() -> None:
    found = job("digits", strategy={"lr": 0.1}, search={"first": [{"lr": 0.2, "resolution": 96}, {"augment": "light"}]})
    assert found.reach.values("lr") == (0.1, 0.2)
    assert found.reach.values("resolution") == (96,)
    assert [one.resolution for one in found.first] == [96, None]
    assert found.strategies == 3
    assert describe(found.phases, found.strategies).startswith("3 trials")


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ({"first": [{"lr": {"uniform": [0.1, 0.2]}}]}, "search.first[0].lr: is a distribution, but a strategy that"),
        ({"first": [{}, {"lrr": 1}]}, "search.first[1].lrr: is not a key of strategy; did you mean `lr`?"),
        ({"first": {"lr": 1}}, "search.first: is a mapping, but must be a list"),
        ({"scheduler": "pbt", "first": [{}]}, "search.first: names strategies, but the members of pbt are drawn"),
    ],
    ids=["a distribution", "an unknown key", "no list", "a population"],
)
def test_what_is_tried_first_is_whole(search: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=re.escape(told)):
        job(TEXTS, search=search)
