"""The schedulers, by the `kind` a job file names."""

from graft.core.registry import Registry
from graft.search.protocol import Scheduler
from graft.search.rules.setting import Setting
from graft.spec.metrics import MetricSpec
from graft.spec.phases import Phase
from graft.spec.space import StrategySpace

SCHEDULERS = Registry(
    "scheduler",
    {
        "none": "graft.search.rules.none:RunToEnd",
        "asha": "graft.search.rules.asha:Asha",
        "hyperband": "graft.search.rules.hyperband:HyperBand",
        "median": "graft.search.rules.median:MedianStopping",
        "one_epoch_top_k": "graft.search.rules.top_k:OneEpochTopK",
        "pbt": "graft.search.rules.population:Population",
        "pb2": "graft.search.rules.population:Population",
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
    scheduler: Scheduler = SCHEDULERS.get(phase.scheduler.kind)(Setting(phase, metric, seed, space))
    return scheduler
