"""The metrics that a job can be judged by."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from graft.spec.messages.rules import broken
from graft.spec.messages.sentences import must_be_one_of, nearest_hint


@dataclass(frozen=True)
class MetricSpec:
    """One number that says how good a model is.

    Attributes:
        name: as the job file, the journal and the tracker call it.
        mode: whether more or less of it is better.
    """

    name: str
    mode: Literal["max", "min"]

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether `value` beats the best so far; anything but NaN beats nothing."""
        if than is None:
            return value == value
        return value > than if self.mode == "max" else value < than


METRICS: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        MetricSpec("accuracy", "max"),
        MetricSpec("balanced_accuracy", "max"),
        MetricSpec("macro_f1", "max"),
        MetricSpec("loss", "min"),
    )
}


def _known(name: str) -> str:
    if name not in METRICS:
        raise broken(must_be_one_of(METRICS) + nearest_hint(name, METRICS))
    return name


MetricName = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": [*METRICS]})]
