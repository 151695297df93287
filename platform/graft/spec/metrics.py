"""The numbers that a job can be judged by."""

from dataclasses import dataclass
from typing import Literal


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
