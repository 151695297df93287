"""What every scheduler is built from."""

from dataclasses import dataclass

from graft.spec.metrics import MetricSpec
from graft.spec.search.phases import Phase
from graft.spec.space.space import StrategySpace


@dataclass(frozen=True)
class SchedulerContext:
    """What a scheduler knows when it begins; the one argument of its constructor.

    Attributes:
        phase: the phase it schedules; its own spec is `phase.scheduler`.
        metric: what trials are compared by.
        seed: root seed of the search.
        space: what strategies are drawn from.
    """

    phase: Phase
    metric: MetricSpec
    seed: int
    space: StrategySpace

    def score(self, value: float) -> float:
        """A value of the metric such that more is better; applied twice, it is the value again."""
        return value if self.metric.mode == "max" else -value
