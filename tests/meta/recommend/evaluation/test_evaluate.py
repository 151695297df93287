"""Held-out tasks of foreign tables of every shape that the contract allows."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.meta.memory.records import HeldMemory, Record, Scores, TrialState
from graft.meta.recommend.evaluation.evaluate import Evaluator
from graft.meta.recommend.evaluation.regret import at_random

BACKBONES = [f"b{one}" for one in range(8)]


def record(task: str, backbone: str, value: float | None, **rest: object) -> Record:
    given: dict[str, object] = {"metric": "accuracy", "direction": "max", "trial": backbone, **rest}
    return Record(task, "image", "classification", backbone, value=value, **given)  # type: ignore[arg-type]


def worths(count: int, own: float = 0.02) -> np.ndarray:
    """Of each backbone on each task: mostly the same order everywhere."""
    rng = np.random.default_rng(0)
    return np.clip(rng.uniform(0.5, 0.9, 8) + own * rng.standard_normal((count, 8)), 0, 1)


def records(values: np.ndarray, **rest: object) -> list[Record]:
    return [
        record(f"t{task}", backbone, float(value), **rest)
        for task, row in enumerate(values)
        for backbone, value in zip(BACKBONES, row, strict=True)
    ]


def scores(values: np.ndarray, noise: float = 0.05) -> list[Scores]:
    rng = np.random.default_rng(1)
    return [
        Scores(f"t{task}", backbone, "logme", float(value + noise * rng.standard_normal()))
        for task, row in enumerate(values)
        for backbone, value in zip(BACKBONES, row, strict=True)
    ]


def mean(rows: Sequence[Record], told: Sequence[Scores] = ()) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = Evaluator(draws=1).evaluate(HeldMemory(rows, (), told)).to_dict()["mean"]
    return found


def test_random_is_the_expected_value_and_graft_is_better_than_it_and_than_the_score() -> None:
    values = worths(8)
    found = Evaluator(draws=2).evaluate(HeldMemory(records(values), (), scores(values))).to_dict()

    assert found["k"] == [1, 3, 5, 10]
    assert set(found["mean"]) == {"random", "prior", "graft", "score:logme"}
    first = dict(zip(BACKBONES, values[0].tolist(), strict=True))
    assert found["tasks"][0]["regret"]["random"]["3"] == pytest.approx(100 * at_random(first, 3), abs=1e-4)
    assert found["tasks"][0]["best"] == pytest.approx(values[0].max())
    for k in ("1", "3", "5"):
        assert found["mean"]["graft"][k] < found["mean"]["random"][k]
        assert found["mean"]["graft"][k] <= min(found["mean"]["prior"][k], found["mean"]["score:logme"][k]) + 0.2
    assert found["mean"]["graft"]["10"] == 0
    assert set(found["thinned"]) == {"1", "3", "5"}
    assert found["points"] == {"accuracy": 100.0}


def test_equal_tables_give_equal_regrets_whatever_the_order_of_their_rows() -> None:
    rows, told = records(worths(5)), scores(worths(5))
    by_task = [one for task in range(5) for one in reversed(rows) if one.task == f"t{task}"]
    assert mean(rows, told) == mean(rows, told) == mean(by_task, told)


def test_less_is_better_where_the_records_say_so() -> None:
    values = worths(5)
    losses = records(1 - values, metric="error", direction="min")
    accuracies, errors = mean(records(values)), mean(losses)
    for method in ("random", "prior", "graft"):
        assert errors[method] == pytest.approx(accuracies[method], abs=1e-4)


def test_percentages_are_points_already() -> None:
    values = worths(5)
    assert mean(records(100 * values))["random"] == pytest.approx(mean(records(values))["random"], abs=1e-3)


def test_the_best_epoch_counts_where_there_are_epochs() -> None:
    values = worths(4)
    curves = [
        record(one.task, one.backbone, (one.value or 0) * share, epoch=at, epochs=3, seconds=1.0 * at)
        for one in records(values)
        for at, share in ((1, 0.5), (2, 1.0), (3, 0.9))
    ]
    assert mean(curves) == mean(records(values))


def test_candidates_may_differ_by_task_and_scores_may_be_missing() -> None:
    values = worths(8)
    rows = [one for place, one in enumerate(records(values)) if place % 3]
    told = [one for place, one in enumerate(scores(values)) if place % 4 and one.task != "t2"]
    found = mean(rows, told)
    assert all(math.isfinite(value) for by_k in found.values() for value in by_k.values())
    assert found["graft"]["1"] < found["random"]["1"]


def test_strategies_are_candidates_and_share_the_score_of_their_backbone() -> None:
    rows = [
        record(
            f"t{task}", backbone, 0.8 - 0.1 * abs(math.log10(rate) + 3) - 0.05 * place, strategy_json=told, trial=told
        )
        for task in range(4)
        for place, backbone in enumerate("ab")
        for rate in (1e-4, 1e-3, 1e-2)
        for told in [json.dumps({"backbone": backbone, "lr": rate})]
    ]
    told = [Scores(f"t{task}", backbone, "s", float(-at)) for task in range(4) for at, backbone in enumerate("ab")]
    found = mean(rows, told)
    assert found["graft"]["1"] == found["prior"]["1"] == 0
    assert found["score:s"]["1"] == pytest.approx((10 + 0 + 10) / 3, abs=1e-4)


def test_one_task_alone_has_nothing_to_learn_from() -> None:
    rows = records(worths(1))
    found = mean(rows)
    assert found["prior"] == found["graft"] == found["random"]
    with_scores = mean(rows, scores(worths(1), noise=0.0))
    assert with_scores["graft"]["1"] == with_scores["score:logme"]["1"] == 0
    assert with_scores["prior"] == with_scores["random"]


def test_what_cannot_be_used_is_told() -> None:
    rows = [*records(worths(3)), record("alone", "b0", 0.5), record("t0", "b0", math.nan, trial="again")]
    found = Evaluator(draws=1).evaluate(HeldMemory(rows)).to_dict()
    assert found["left_out"] == {"alone": "1 candidate with a value of accuracy; 2 are needed to compare"}
    assert found["unused_records"] == 1
    assert [one["task"] for one in found["tasks"]] == ["t0", "t1", "t2"]


def test_a_failed_trial_teaches_and_is_no_candidate_of_its_own_task() -> None:
    rows = [*records(worths(3)), *(record(f"t{at}", "broken", None, state=TrialState.FAILED) for at in range(3))]
    found = Evaluator(draws=1).evaluate(HeldMemory(rows)).to_dict()
    assert {one["candidates"] for one in found["tasks"]} == {8}


@pytest.mark.parametrize(
    "rows", [[], [record("t", "a", 0.5)], [record("t", "a", math.nan), record("t", "b", math.nan)]]
)
def test_nothing_to_compare_is_an_error(rows: list[Record]) -> None:
    with pytest.raises(DataError, match="nothing can be compared"):
        Evaluator().evaluate(HeldMemory(rows))


def test_tasks_in_which_all_are_equal_have_no_regret() -> None:
    found = mean([record(f"t{task}", backbone, 0.5) for task in range(3) for backbone in BACKBONES])
    assert {str(value) for by_k in found.values() for value in by_k.values()} == {"0.0"}


def test_many_tasks_are_thinned_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graft.meta.recommend.evaluation.evaluate.ENOUGH_DRAWS", 7)
    memory = HeldMemory(records(worths(5, own=0.2)))
    once, fewer, five = (Evaluator(draws=draws).evaluate(memory).thinned for draws in (1, None, 5))
    assert once == fewer != five


def test_tasks_without_a_candidate_in_common_tell_no_more_than_chance() -> None:
    values = worths(2)
    rows = [*records(values[:1]), *(record("other", f"x{at}", one) for at, one in enumerate(values[1].tolist()))]
    found = Evaluator().evaluate(HeldMemory(rows)).to_dict()
    assert [one["basis"] for one in found["tasks"]] == ["nothing", "nothing"]
    assert found["mean"]["graft"] == found["mean"]["prior"] == found["mean"]["random"]


@pytest.mark.parametrize("field", ["modality", "task_kind"])
def test_tasks_of_another_modality_or_kind_tell_nothing_as_in_a_search(field: str) -> None:
    values = worths(6)
    rows = records(values)
    odd = [
        replace(one, **{field: "other", "value": 1 - one.value}) if one.task in ("t1", "t3") else one for one in rows
    ]
    of = {"t1": "other", "t3": "other"}
    alone = [one for one in odd if one.task not in of]
    found, without = (Evaluator().evaluate(HeldMemory(some)).to_dict() for some in (odd, alone))
    regrets = {one["task"]: one["regret"] for one in found["tasks"]}
    assert {one["task"]: one["regret"] for one in without["tasks"]} == {k: v for k, v in regrets.items() if k not in of}
    assert set(found["thinned"]) == {"1"}, "no task has more than three others of its kind"
    untold = [replace(one, **{field: ""}) if one.task == "t5" else one for one in odd]
    assert Evaluator().evaluate(HeldMemory(untold)).to_dict()["mean"], "of unknown kind: told by all, tells all"
