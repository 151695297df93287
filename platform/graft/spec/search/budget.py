"""`search.budget`: what a job may spend, and when it is good enough."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from graft.spec.base import Spec
from graft.spec.messages.rules import broken
from graft.spec.tasks.lookup import all_metrics

DEFAULT_TRIALS = 16

METRIC_NAMES = tuple(dict.fromkeys(metric.name for _, metric in all_metrics()))
"""Of all tasks."""

_TOO_LARGE = 1e300
_METRIC_WITH_NUMBER = {
    "type": "object",
    "additionalProperties": {"type": "number"},
    "propertyNames": {"enum": list(METRIC_NAMES)},
    "minProperties": 1,
    "maxProperties": 1,
}


def _target(value: Any) -> Any:
    if value is None:
        return None
    numbers = list(value.values()) if isinstance(value, dict) else [value]
    if not all(_is_finite(one) for one in numbers):
        raise broken("must be a number, as in `target: 0.98`, or the metric with one, as in `target: {accuracy: 0.98}`")
    if isinstance(value, dict) and len(value) != 1:
        raise broken("must name one metric, that of `search.metric`")
    return value


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _TOO_LARGE


class BudgetSpec(Spec):
    """What a job may spend, from ingest to registration; whichever ends first."""

    trials: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description=f"Most strategies to try; {DEFAULT_TRIALS}, or no limit if time or money is limited.",
    )
    minutes: float | None = Field(None, gt=0, description="Most minutes of wall-clock time; no limit if left out.")
    gpu_hours: float | None = Field(None, gt=0, description="Most GPU-hours of all trials and the fit together.")
    cost: float | None = Field(None, gt=0, description="Most money, at the prices in `resources.price`.")
    nodes: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Most workers of a cluster that are asked for at once; the head is not counted.",
    )
    target: Annotated[
        float | dict[str, float] | None,
        BeforeValidator(_target),
        WithJsonSchema({"anyOf": [{"type": "number"}, _METRIC_WITH_NUMBER, {"type": "null"}]}),
    ] = Field(None, description="Value of the metric on the validation samples that is good enough to end the search.")

    @property
    def limits_trials_only(self) -> bool:
        """Whether nothing but the number of trials ends the search."""
        return self.minutes is None and self.gpu_hours is None and self.cost is None

    @property
    def most_trials(self) -> int | None:
        """The most trials there may be; None is no limit."""
        if self.trials is None and self.limits_trials_only:
            return DEFAULT_TRIALS
        return self.trials

    @property
    def target_value(self) -> float | None:
        """The value to reach, whichever way it was written."""
        return next(iter(self.target.values())) if isinstance(self.target, dict) else self.target
