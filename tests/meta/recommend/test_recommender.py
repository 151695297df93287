"""What the recommender learns, on tables that are made up; tests/meta/recommend/evaluation holds out tasks."""

import json
import math

import numpy as np
import pytest

from graft.meta.memory.records import Scores
from graft.meta.recommend.condense import ALL_OTHERS, condensed
from graft.meta.recommend.kernel import Fields, Likeness
from graft.meta.recommend.normalise import WORST, below_best, standardised
from graft.meta.recommend.outcomes import Candidate, Outcome, TaskOutcomes
from graft.meta.recommend.portfolio import greedy
from graft.meta.recommend.prior import Basis
from graft.meta.recommend.recommender import Recommender
from graft.meta.recommend.surrogate import Hyperparameters, Surrogate, fitted
from graft.meta.recommend.table import score_directions, score_features, score_table, table_of, unknown_similarity

POOL = [Candidate(f"b{one}") for one in range(6)]


def task(name: str, values: list[float | None]) -> TaskOutcomes:
    return TaskOutcomes(name, "accuracy", False, {at: Outcome(one) for at, one in zip(POOL, values, strict=True)})


def tasks(count: int, worth: list[float], noise: float = 0.01) -> list[TaskOutcomes]:
    rng = np.random.default_rng(0)
    return [task(f"t{one}", list(np.array(worth) + noise * rng.standard_normal(6))) for one in range(count)]


WORTH = [0.5, 0.9, 0.6, 0.85, 0.7, 0.4]


def scores(name: str, values: list[float]) -> list[Scores]:
    return [Scores(name, at.backbone, "logme", one) for at, one in zip(POOL, values, strict=True)]


def test_with_nothing_known_nothing_is_told() -> None:
    found = Recommender([]).forecast("new", POOL)
    assert (found.basis, found.tasks) == (Basis.NOTHING, 0)
    assert found.order == tuple(range(6))
    assert np.allclose(found.posterior.mean, 0)


def test_with_scores_alone_they_order() -> None:
    found = Recommender([], score_table(scores("new", WORTH))).forecast("new", POOL)
    assert found.basis == Basis.SCREENING
    assert [POOL[place].backbone for place in found.order] == ["b1", "b3", "b4", "b2", "b0", "b5"]


@pytest.mark.parametrize("count", [1, 3, 12])
def test_what_was_best_elsewhere_comes_first(count: int) -> None:
    found = Recommender(tasks(count, WORTH)).forecast("new", POOL)
    assert (found.basis, found.tasks) == (Basis.PRIOR, count)
    assert found.order[:2] == (1, 3)
    assert found.posterior.deviation[1] > 0


def test_the_own_outcomes_of_a_task_are_not_looked_at() -> None:
    others = tasks(3, WORTH)
    told = Recommender([*others, task("new", WORTH[::-1])]).forecast("new", POOL)
    assert told.order == Recommender(others).forecast("new", POOL).order


def test_more_tasks_make_it_surer() -> None:
    few, many = (Recommender(tasks(count, WORTH)).forecast("new", POOL).posterior for count in (1, 12))
    assert many.deviation[1] < few.deviation[1]


def test_a_score_that_tells_the_tasks_apart_decides_where_the_prior_cannot() -> None:
    rng = np.random.default_rng(1)
    worths = [list(rng.permutation(WORTH)) for _ in range(9)]
    known = [task(f"t{at}", list(worth)) for at, worth in enumerate(worths[:8])]
    told = [one for at, worth in enumerate(worths) for one in scores(f"t{at}", list(worth))]
    found = Recommender(known, score_table(told)).forecast("t8", POOL)
    assert found.basis in (Basis.BLEND, Basis.SCREENING)
    assert found.order[0] == int(np.argmax(worths[8]))


KINDS = {"this": ([0.9, 0.3, 0.5, 0.5, 0.4, 0.6], [0, 0, 1, -1, 1, -1])}
KINDS["that"] = ([0.3, 0.9, *KINDS["this"][0][2:]], [-one for one in KINDS["this"][1]])


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_whose_scores_go_the_same_way_want_the_same(kind: str) -> None:
    """No score says anything of the two candidates that matter: what tells the kinds apart are those of the others."""
    rng = np.random.default_rng(0)
    known, told = [], []
    for at, (worth, way) in enumerate([*list(KINDS.values()) * 5, KINDS[kind]]):
        known.append(task(f"t{at}", list(np.array(worth) + 0.02 * rng.standard_normal(6))))
        told += scores(f"t{at}", list(np.array(way) + 0.3 * rng.standard_normal(6)))
    found = Recommender(known, score_table(told)).forecast("t10", POOL)
    assert found.order[0] == int(np.argmax(KINDS[kind][0]))


def test_scores_of_a_few_tasks_point_nowhere() -> None:
    told = [one for at in range(5) for one in scores(f"t{at}", list(np.random.default_rng(at).permutation(WORTH)))]
    assert score_directions(score_table(told), [f"t{at}" for at in range(4)]) == {}
    found = score_directions(score_table(told), [f"t{at}" for at in range(5)])
    assert {round(float(one @ one), 9) for one in found.values()} == {1.0}


def test_tasks_that_are_alike_count_for_more() -> None:
    turned = WORTH[::-1]
    known = [*tasks(4, WORTH), *(task(f"o{one}", list(turned)) for one in range(2))]

    def similarity(one: str, other: str) -> float:
        return 1.0 if one == other or {one[0], other[0]} <= {"o", "n"} else 0.0

    assert Recommender(known).forecast("new", POOL).order[0] == 1
    assert Recommender(known, similarity=similarity).forecast("new", POOL).order[0] == 4


def test_strategies_share_what_is_known_of_others_like_them() -> None:
    grid = [
        Candidate("a", json.dumps({"lr": rate, "freeze": share})) for rate in (1e-4, 1e-3, 1e-2) for share in (0, 1)
    ]
    unseen = [Candidate("a", json.dumps({"lr": rate, "freeze": 0.9})) for rate in (1.1e-3, 9e-5, 9e-3)]

    def value(rate: float) -> float:
        return 0.9 - 0.1 * (math.log10(rate) + 3) ** 2

    known = [
        TaskOutcomes(f"t{at}", "accuracy", False, {one: Outcome(value(float(one.fields["lr"]))) for one in grid})
        for at in range(4)
    ]
    assert Recommender(known).forecast("new", unseen).order[0] == 0


def test_a_wrong_record_does_not_move_the_choice() -> None:
    known = tasks(8, WORTH)
    poisoned = [task("bad0", WORTH[::-1]), task("bad1", WORTH[::-1])]
    assert Recommender([*known, *poisoned]).forecast("new", POOL).order[0] == 1


def test_the_left_out_tasks_are_what_a_fit_without_them_tells() -> None:
    known = tasks(4, WORTH, noise=0.1)
    table = table_of(known, {})
    parameters, fields = Hyperparameters(slopes=0.0), Fields(table.candidates)
    likeness = Likeness(unknown_similarity, table.tasks)
    whole = Surrogate(table, fields, likeness, parameters, rounds=0)
    told = whole.left_out_tasks()
    for at in range(4):
        rows = table.task == at
        without = Surrogate(table.without(~rows), fields, likeness, parameters, rounds=0)
        alone = without.predict(f"t{at}", table.candidate[rows], table.features[rows])
        assert told[rows] == pytest.approx(alone.mean, abs=1e-8)


def test_a_table_without_rows_has_a_surrogate() -> None:
    table = table_of([], {}, POOL)
    posterior = fitted(table, Fields(table.candidates), Likeness(unknown_similarity, table.tasks)).predict(
        "new", np.arange(6), score_features(POOL, {}, ())
    )
    assert np.allclose(posterior.mean, 0)


@pytest.mark.parametrize("spread", [0.01, 0.4])
def test_how_much_of_one_task_holds_for_others_does_not_follow_from_its_spread(spread: float) -> None:
    """Of one task alone only the sum of the two variances is told by its values."""
    worth = [0.9 + spread * np.sin(7 * at) for at in range(6)]
    table = table_of([task("t", worth)], {})
    found = fitted(table, Fields(table.candidates), Likeness(unknown_similarity, table.tasks)).parameters
    assert (found.shared, found.own) == (0.45, 0.25)


def test_what_is_condensed_keeps_the_nearest_tasks_and_the_means_of_the_others() -> None:
    known = tasks(40, WORTH)
    table = table_of(known, {})

    def similarity(one: str, other: str) -> float:
        return float(one == other or {one, other} == {"new", "t7"})

    few = condensed(table, Likeness(similarity, table.tasks), "new", most=20)
    assert few.tasks[-1] == ALL_OTHERS
    assert few.rows <= 20
    assert "t7" in {few.tasks[at] for at in few.task}
    assert few.weight.max() > 30
    assert condensed(table, Likeness(similarity, table.tasks), "new", most=500) is table


def test_of_tasks_of_which_nothing_else_is_known_those_stay_whose_scores_go_the_same_way() -> None:
    table, names = table_of(tasks(40, WORTH), {}), [f"t{at}" for at in range(40)]
    ways = {name: np.array([1.0, 0.0]) if name in ("new", "t30") else np.array([0.0, 1.0]) for name in ("new", *names)}
    few = condensed(table, Likeness(unknown_similarity, table.tasks, ways), "new", most=20)
    assert [few.tasks[at] for at in np.unique(few.task)] == ["t30", ALL_OTHERS]


def test_the_prior_alone_looks_at_no_scores_whatever_the_size_of_the_memory() -> None:
    rng, pool = np.random.default_rng(0), [Candidate(f"b{at}") for at in range(30)]
    known = [
        TaskOutcomes(f"t{at}", "accuracy", False, {one: Outcome(float(rng.random())) for one in pool})
        for at in range(40)
    ]
    told = score_table(Scores(f"t{at}", one.backbone, "logme", rng.random()) for at in range(41) for one in pool)
    orders = {Recommender(known, one).forecast("t40", pool, only=Basis.PRIOR).order for one in (told, {})}
    assert len(orders) == 1


def test_greedy_takes_what_is_good_where_the_first_is_not() -> None:
    draws = np.array([[1.0, 0.9, 0.0], [1.0, 0.9, 0.0], [0.0, 0.0, 0.8]])
    assert greedy(draws, np.full(3, 1 / 3), 2) == [0, 2]
    assert greedy(draws, np.full(3, 1 / 3), 5) == [0, 2, 1]
    assert greedy(draws, np.full(3, 1 / 3), 1, taken=[0]) == [2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"a": 0.9, "b": 0.8, "c": 0.7}, {"a": 0.0, "b": -1.0, "c": -2.0}),
        ({"a": 0.9, "b": 0.8, "c": 0.1}, {"a": 0.0, "b": -1.0, "c": WORST}),
        ({"a": 0.5, "b": 0.5, "c": None}, {"a": 0.0, "b": 0.0, "c": WORST}),
        ({"a": None}, {}),
        ({}, {}),
    ],
)
def test_below_best(values: dict[str, float | None], expected: dict[str, float]) -> None:
    assert below_best(values) == pytest.approx(expected)


def test_scores_that_do_not_differ_or_are_not_finite_tell_nothing() -> None:
    assert standardised({"a": 1.0, "b": 1.0}) == {}
    assert standardised({"a": 1.0, "b": math.nan, "c": 3.0}) == {"a": -1.0, "c": 1.0}
    assert standardised({"a": 1.0}) == {}


def test_a_score_of_a_depth_belongs_to_the_candidates_that_keep_it() -> None:
    table = score_table(
        [Scores("t", "a", "ridge", 0.5), Scores("t", "a", "ridge@0.7", 0.9), Scores("t", "b", "ridge", 0.7)]
    )
    kept = [Candidate(name, json.dumps({"structure": {"keep": share}})) for name, share in (("a", 0.68), ("a", 1.0))]
    found = score_features([*kept, Candidate("b", json.dumps({"structure": {"keep": 0.7}}))], table["t"], ("ridge",))
    assert found[:, 0].round(3).tolist() == [1.225, -1.225, 0.0]
