"""The schedulers, by the `kind` a job file names."""

from graft.core.registry import Registry
from graft.search.protocol import Scheduler
from graft.search.schedulers.context import SchedulerContext
from graft.spec.metrics import MetricSpec
from graft.spec.search.phases import Phase
from graft.spec.space.space import StrategySpace

SCHEDULERS = Registry(
    "scheduler",
    {
        "none": "graft.search.schedulers.none:RunToEnd",
        "asha": "graft.search.schedulers.asha:Asha",
        "hyperband": "graft.search.schedulers.hyperband:HyperBand",
        "median": "graft.search.schedulers.median:MedianStopping",
        "one_epoch_top_k": "graft.search.schedulers.top_k:OneEpochTopK",
        "pbt": "graft.search.schedulers.population:Population",
        "pb2": "graft.search.schedulers.population:Population",
    },
)


def build_scheduler(phase: Phase, metric: MetricSpec, seed: int, space: StrategySpace) -> Scheduler:
    """The scheduler of a phase, at its beginning.

    Args:
        phase: names the kind of scheduler, and says how long and for how many trials.
        metric: what trials are compared by.
        seed: root seed of the search.
        space: what strategies are drawn from; a population varies its keys.

    Raises:
        SpecError: no scheduler of this kind is registered.
    """
    scheduler: Scheduler = SCHEDULERS.get(phase.scheduler.kind)(SchedulerContext(phase, metric, seed, space))
    return scheduler
