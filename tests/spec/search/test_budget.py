"""What may be spent, and what is good enough."""

from typing import Any

import pytest
from pydantic import ValidationError

from graft.spec.search.budget import DEFAULT_TRIALS, BudgetSpec


@pytest.mark.parametrize(
    ("raw", "only_trials", "most"),
    [
        ({}, True, DEFAULT_TRIALS),
        ({"trials": 3}, True, 3),
        ({"target": 0.9}, True, DEFAULT_TRIALS),
        ({"minutes": 1}, False, None),
        ({"gpu_hours": 1}, False, None),
        ({"cost": 1}, False, None),
        ({"cost": 1, "trials": 3}, False, 3),
    ],
)
def test_time_and_money_take_the_place_of_the_default_number_of_trials(
    raw: dict[str, Any], only_trials: bool, most: int | None
) -> None:
    budget = BudgetSpec.model_validate(raw)
    assert (budget.limits_trials_only, budget.most_trials) == (only_trials, most)


def test_a_target_is_a_number_or_the_metric_with_one() -> None:
    assert BudgetSpec().target_value is None
    assert BudgetSpec(target=0.98).target_value == 0.98
    assert BudgetSpec.model_validate({"target": 1}).target_value == 1.0
    assert BudgetSpec(target={"loss": 0.1}).target_value == 0.1
    assert BudgetSpec(target=0).target_value == 0.0  # nought is a target too


@pytest.mark.parametrize(
    "target", ["0.9", True, [0.9], float("nan"), float("inf"), {}, {"accuracy": "high"}, {"accuracy": True},
               {"accuracy": float("nan")}, {"accuracy": 0.9, "loss": 0.1}, 10**400],
)  # fmt: skip
def test_anything_else_is_one_finding(target: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        BudgetSpec(target=target)
    (error,) = caught.value.errors()
    assert error["loc"] == ("target",)
    assert "must" in error["msg"]
