"""The numbers that a job can be judged by."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MetricSpec:
    """One number that says how good a model is.

    Attributes:
        name: as the job file, the journal and the tracker call it.
        mode: whether more or less of it is better.
        is_share: whether it is a share of the samples, each of which counts one or nothing.
        lowest: no model has less.
        highest: no model has more.
        is_in_units: whether it is in the units of the targets, so that its size says nothing without theirs.
    """

    name: str
    mode: Literal["max", "min"]
    is_share: bool = False
    lowest: float = -math.inf
    highest: float = math.inf
    is_in_units: bool = False

    def is_possible(self, value: float) -> bool:
        """Whether a model can have this value; not if it is no finite number."""
        return math.isfinite(value) and self.lowest <= value <= self.highest

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether `value` beats the best so far; anything but NaN beats nothing."""
        if than is None:
            return value == value
        return value > than if self.mode == "max" else value < than

    def best_first(self, value: float | None, trial: str) -> tuple[bool, float, tuple[int, str]]:
        """What trials are sorted by, everywhere: the better value, on a tie the earlier trial; without a value last."""
        if value is None:
            return True, 0.0, begun_first(trial)
        return False, -value if self.mode == "max" else value, begun_first(trial)


def begun_first(trial: str) -> tuple[int, str]:
    """What names of trials are sorted by so that the earlier trial comes first: ``t99`` before ``t100``."""
    return len(trial), trial


def shown(value: float | None) -> str:
    """A value for people: three decimals, or three digits where decimals would hide it; ``–`` if there is none."""
    if value is None:
        return "–"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.3g}"
