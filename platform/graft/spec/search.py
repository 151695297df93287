"""`search`: which strategies are tried, which are stopped early, and when to end."""

from typing import Annotated, Literal

from pydantic import Field

from graft.spec.base import ByName, Spec
from graft.spec.metrics import METRICS, MetricName, MetricSpec


class NoScheduler(Spec):
    """Every trial runs to its end."""

    kind: Literal["none"] = "none"


class Asha(Spec):
    """Asynchronous successive halving (Li et al., MLSys 2020): the worse trials of each rung stop early."""

    kind: Literal["asha"] = "asha"
    grace_epochs: int = Field(1, ge=1, le=1000, description="Epochs before the first rung (r in the paper).")
    reduction_factor: int = Field(
        3, ge=2, le=100, description="One in this many goes on at each rung (η in the paper)."
    )


class RandomSearcher(Spec):
    """Strategies are drawn from the space at random; none is trained twice."""

    kind: Literal["random"] = "random"


Scheduler = Annotated[NoScheduler | Asha, Field(discriminator="kind"), ByName]
Searcher = Annotated[RandomSearcher, ByName]


class BudgetSpec(Spec):
    """What a job may spend, from ingest to registration; whichever ends first."""

    trials: int = Field(16, ge=1, le=100_000, description="Most strategies to try.")
    minutes: float | None = Field(None, gt=0, description="Most minutes of wall-clock time; no limit if left out.")


class SearchSpec(Spec):
    """Which strategies are tried, which are stopped early, and when to end."""

    scheduler: Scheduler = Field(Asha(), description="Decides which trials stop early.")
    searcher: Searcher = Field(RandomSearcher(), description="Decides which strategies are tried.")
    metric: MetricName = Field("accuracy", description="What trials are compared by, on the validation samples.")
    seed: int = Field(0, ge=0, description="Seed of the search and of every training.")
    budget: BudgetSpec = Field(BudgetSpec(), description="What may be spent.")

    @property
    def objective(self) -> MetricSpec:
        """The metric, with its direction."""
        return METRICS[self.metric]
