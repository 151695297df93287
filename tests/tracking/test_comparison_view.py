import json
from dataclasses import replace

import pytest

from graft.spec.tasks.lookup import metric_named
from graft.tracking.comparison_view import (
    MAX_TAG,
    TAG_PREFIX,
    Compared,
    State,
    unpack,
    varied_in_space,
    varied_params,
    view_key,
    view_tags,
)

COMPARED = Compared(
    experiment="digits-1",
    metric=metric_named("accuracy"),
    varied=("freeze", "backbone", "penalty", "penalty.strength"),
    shared=("freeze", "backbone", "penalty"),
    has_cost=False,
    time=1_700_000_000.0,
    families=3,
    scored=9,
)


def state(kind: str, compared: Compared = COMPARED) -> State:
    tags = view_tags(compared)
    return unpack(tags[TAG_PREFIX + view_key(compared.experiment, kind)])  # type: ignore[arg-type]


def charts(kind: str, of: str, compared: Compared = COMPARED) -> list[State]:
    return [chart for chart in state(kind, compared)["compareRunCharts"] if chart["type"] == of]


def test_two_views_under_their_names() -> None:
    tags = view_tags(COMPARED)
    assert [json.loads(value)["name"] for value in tags.values()] == ["strategies of digits-1", "trials of digits-1"]
    assert {json.loads(value)["updatedAt"] for value in tags.values()} == {1_700_000_000_000}
    assert all(len(value) < MAX_TAG for value in tags.values())


def test_both_show_the_trials_of_the_experiment_best_first() -> None:
    for kind in ("strategies", "trials"):
        found = state(kind)
        assert "tags.`graft.experiment` = 'digits-1'" in found["searchFilter"]
        assert "tags.`graft.role` = 'trial'" in found["searchFilter"]
        assert (found["orderByKey"], found["orderByAsc"]) == ("metrics.`final/val_accuracy`", False)
        assert found["runsHiddenMode"] == "SHOWALL"
        assert "metrics.`final/val_accuracy`" in found["selectedColumns"]


def test_what_is_better_decides_order_and_the_best_of_a_family() -> None:
    loss = replace(COMPARED, metric=metric_named("loss"))
    assert state("trials", loss)["orderByAsc"] is True
    assert state("strategies", loss)["groupBy"]["aggregateFunction"] == "min"
    assert state("strategies")["groupBy"]["aggregateFunction"] == "max"


def test_strategies_are_grouped_by_family_with_bars_scatter_and_curves() -> None:
    assert state("strategies")["groupBy"]["groupByKeys"] == [{"mode": "param", "groupByData": "family"}]
    assert charts("strategies", "BAR")[0]["metricKey"] == "final/val_accuracy"
    (scatter,) = charts("strategies", "SCATTER")
    assert (scatter["xaxis"]["key"], scatter["yaxis"]["key"]) == ("final/seconds", "final/val_accuracy")
    assert charts("strategies", "LINE")[0]["selectedMetricKeys"] == ["val/accuracy"]


def test_trials_have_parallel_coordinates_over_the_fields_that_all_have() -> None:
    found = state("trials")
    assert not found["groupBy"]
    assert {"params.`freeze`", "params.`penalty.strength`"} <= set(found["selectedColumns"])
    (parallel,) = charts("trials", "PARALLEL")
    assert parallel["selectedParams"] == ["freeze", "backbone", "penalty"]
    assert parallel["selectedMetrics"] == ["final/val_accuracy"]


def test_bars_begin_near_the_data_when_it_is_known_where_that_is() -> None:
    over = replace(COMPARED, base=0.91234)
    for kind in ("strategies", "trials"):
        assert charts(kind, "BAR")[0]["metricKey"] == "final/val_accuracy"
        assert charts(kind, "BAR", over)[0]["metricKey"] == "final/val_accuracy_lead"
        titles = " ".join(section["name"] for section in state(kind, over)["compareRunSections"])
        assert titles.count("bars begin at val accuracy 0.912; the longest to the right wins") == 1
    loss = state("trials", replace(over, metric=metric_named("loss")))["compareRunSections"]
    assert any("longest to the left wins" in section["name"] for section in loss)


def test_at_the_end_trials_are_in_the_order_of_their_ranks() -> None:
    over = replace(COMPARED, base=0.9)
    assert (state("trials", over)["orderByKey"], state("trials", over)["orderByAsc"]) == ("metrics.`final/rank`", True)
    assert state("strategies", over)["orderByKey"] == "metrics.`final/val_accuracy`", "a group has no rank"


@pytest.mark.parametrize(
    ("families", "scored", "bars_of_strategies", "bars_of_trials"),
    [(0, 0, 0, 0), (1, 1, 0, 0), (1, 5, 2, 1), (2, 2, 2, 1), (4, 9, 2, 1)],
)
def test_no_chart_has_one_bar(families: int, scored: int, bars_of_strategies: int, bars_of_trials: int) -> None:
    compared = replace(COMPARED, families=families, scored=scored)
    assert len(charts("strategies", "BAR", compared)) == bars_of_strategies
    assert len(charts("trials", "BAR", compared)) == bars_of_trials
    assert bool(state("strategies", compared)["groupBy"]) == (families != 1)
    for kind in ("strategies", "trials"):
        found = state(kind, compared)
        sections = {section["uuid"] for section in found["compareRunSections"]}
        assert {chart["metricSectionId"] for chart in found["compareRunCharts"]} == sections


def test_every_chart_lies_in_a_section_and_has_an_id_of_its_own() -> None:
    for kind in ("strategies", "trials"):
        found = state(kind)
        sections = {section["uuid"] for section in found["compareRunSections"]}
        assert {chart["metricSectionId"] for chart in found["compareRunCharts"]} == sections
        ids = [chart["uuid"] for chart in found["compareRunCharts"]]
        assert len(set(ids)) == len(ids)


def test_money_is_the_cost_where_there_is_a_price() -> None:
    (scatter,) = charts("strategies", "SCATTER", replace(COMPARED, has_cost=True))
    assert scatter["xaxis"]["key"] == "final/cost"


def test_a_view_too_large_for_a_tag_is_left_out() -> None:
    fields = tuple(f"field-{number * 7919 % 104729}-{number**5}" for number in range(6000))
    assert [*view_tags(replace(COMPARED, varied=fields))] == [TAG_PREFIX + view_key("digits-1", "strategies")]


def test_writing_it_again_changes_nothing() -> None:
    assert view_tags(COMPARED) == view_tags(COMPARED)


def test_which_params_differ() -> None:
    strategies = [{"lr": "0.1", "penalty": "l2", "penalty.strength": "1", "size": "32"},
                  {"lr": "0.2", "penalty": "none", "size": "32"},
                  {"lr": "0.2", "penalty": "l2", "penalty.strength": "2", "size": "32"}]  # fmt: skip
    assert varied_params(strategies) == (("lr", "penalty", "penalty.strength"), ("lr", "penalty"))
    assert varied_params([]) == ((), ())


def test_which_params_a_space_varies() -> None:
    space = {"backbone": {"choice": ["a", "b"]}, "lr": {"uniform": [0, 1]}, "loss": {"kind": "focal"}, "freeze": 0.5}
    assert varied_in_space(space) == ("backbone", "lr")
