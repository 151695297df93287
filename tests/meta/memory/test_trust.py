import math

import numpy as np
import pytest

from graft.meta.memory.records import Scores
from graft.meta.memory.schema import KINDS, RECORDS, SCORES, TASKS, to_table
from graft.meta.memory.trust import FOREIGN, HALF_LIFE_S, Reader, possible, weighed

NOW = 10 * HALF_LIFE_S
READER = Reader(NOW, {"torch": "2.14.1", "timm": "1.0.31"})


def weights(records, is_own=True):
    own = np.broadcast_to(np.asarray(is_own), len(records))
    return weighed(to_table(RECORDS, records), own, READER).column("weight").to_pylist()


def test_a_fresh_record_of_ones_own_counts_in_full(record):
    assert weights([record(written_at=NOW, versions={"torch": "2.14.0", "timm": "1.0.31"})]) == [1.0]


def test_a_record_halves_with_every_half_life(record):
    young, old = weights([record(written_at=NOW - HALF_LIFE_S), record(written_at=NOW - 3 * HALF_LIFE_S)])
    assert (young, old) == (0.5, 0.125)


@pytest.mark.parametrize(
    ("versions", "factor"),
    [
        ({"torch": "2.13.0"}, 0.9),
        ({"torch": "1.13.0"}, 0.5),
        ({"torch": "1.0", "timm": "0.9"}, 0.25),
        ({"torch": "weird"}, 1.0),
        ({}, 1.0),
    ],
)
def test_other_libraries_age_a_record(record, versions, factor):
    assert weights([record(written_at=NOW, versions=versions)]) == [pytest.approx(factor)]


@pytest.mark.parametrize("claimed", [1.0, 100.0, float("inf"), float("nan"), -3.0])
def test_no_stranger_counts_more_than_his_share(record, claimed):
    (weight,) = weights([record(written_at=NOW, weight=claimed)], is_own=False)
    assert 0 < weight <= FOREIGN


@pytest.mark.parametrize("claimed", [NOW + 90 * 86_400, float("inf"), float("nan"), -1e30])
def test_a_time_that_cannot_be_makes_nothing_younger(record, claimed):
    assert weights([record(written_at=claimed)])[0] <= 0.5


def test_a_stranger_who_tells_otherwise_of_the_same_training_hardly_counts(record):
    same = {"strategy_json": "{}", "written_at": NOW}
    told = [record(value=0.5, **same), record(value=0.95, **same), record(value=0.52, **same)]
    own, far, near = weights(told, is_own=[True, False, False])
    assert own == 1.0
    assert near == FOREIGN
    assert far == pytest.approx(FOREIGN * 0.1)


@pytest.mark.parametrize(("source", "factor"), [("run:x", 1.0), ("import:x.csv", 0.7), ("mlflow:x", 0.5), ("", 0.5)])
def test_the_source_has_a_say(record, source, factor):
    assert weights([record(written_at=NOW, source=source)]) == [pytest.approx(factor)]


def test_broken_versions_are_old_ones(record):
    table = to_table(RECORDS, [record(written_at=NOW)])
    place = table.schema.get_field_index("versions")
    for text in ("{", "[1]"):
        broken = table.set_column(place, "versions", [[text]])
        assert weighed(broken, np.array([True]), READER).column("weight").to_pylist() == [0.5]


@pytest.mark.parametrize(
    ("changes", "is_possible"),
    [
        ({"value": 1.0}, True),
        ({"value": 1.0001}, False),
        ({"value": -0.1}, False),
        ({"metric": "loss", "direction": "min", "value": 7.0}, True),
        ({"metric": "loss", "direction": "min", "value": -7.0}, False),
        ({"metric": "of_their_own", "value": -7.0}, True),
        ({"metric": "r2", "value": -30.0}, True),
        ({"value": float("inf")}, False),
        ({"value": None}, False),
        ({"value": None, "state": "failed"}, True),
        ({"direction": "up"}, False),
        ({"seconds": float("nan")}, False),
        ({"strategy_json": "{"}, False),
        ({"strategy_json": "[1]"}, False),
        ({"strategy_json": ""}, False),
        ({"strategy_json": "[" * 100_000}, False),
        ({"strategy_json": None}, True),
        ({"epoch": -4}, False),
        ({"epoch": 0}, False),
        ({"epochs": 0}, False),
        ({"state": "wounded"}, False),
        ({"task": ""}, False),
        ({"task": "t" * 501}, False),
    ],
)
def test_what_a_run_can_have_recorded(record, changes, is_possible):
    assert possible(RECORDS, to_table(RECORDS, [record(**changes)])).tolist() == [is_possible]


@pytest.mark.parametrize(
    ("changes", "is_possible"),
    [
        ({}, True),
        ({"meta_features": {"log_rows": "many"}}, False),
        ({"rows": -1}, False),
        ({"task": ""}, False),
    ],
)
def test_what_can_be_known_of_a_task(entry, changes, is_possible):
    assert possible(TASKS, to_table(TASKS, [entry(**changes)])).tolist() == [is_possible]


def test_a_number_of_a_task_is_finite(entry):
    table = to_table(TASKS, [entry()])
    place = table.schema.get_field_index("meta_features")
    for text in ('{"log_rows": NaN}', '{"log_rows": 1e999}', "{", "[1]"):
        assert possible(TASKS, table.set_column(place, "meta_features", [[text]])).tolist() == [False]


def test_scores_are_finite():
    told = [Scores("cats", "x", "logme", value) for value in (-3.0, math.nan, math.inf)]
    assert possible(SCORES, to_table(SCORES, told)).tolist() == [True, False, False]


def test_of_nothing_nothing_is_weighed():
    table = to_table(RECORDS, [])
    assert weighed(table, np.zeros(0, dtype=bool), READER).num_rows == 0
    assert [possible(kind, to_table(kind, [])).tolist() for kind in KINDS] == [[]] * 3
