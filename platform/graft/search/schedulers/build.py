"""From a job's word to the scheduler."""

from graft.search.protocol import Scheduler
from graft.search.schedulers.context import SchedulerContext
from graft.spec.metrics import MetricSpec
from graft.spec.registry import call
from graft.spec.search.phases import Phase
from graft.spec.space.space import StrategySpace


def build_scheduler(phase: Phase, metric: MetricSpec, seed: int, space: StrategySpace) -> Scheduler:
    """The scheduler of a phase, at its beginning.

    Args:
        phase: names the kind of scheduler, and says how long and for how many trials.
        metric: what trials are compared by.
        seed: root seed of the search.
        space: what strategies are drawn from; a population varies its keys.

    Raises:
        SpecError: it is another package's, and cannot be built.
    """
    scheduler: Scheduler = call(phase.scheduler, SchedulerContext(phase, metric, seed, space))
    return scheduler
