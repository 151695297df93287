"""`search` and `resources` of a job of meta-training."""

from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from graft.spec.base import Spec
from graft.spec.messages.rules import Finding, rejected
from graft.spec.registry import union
from graft.spec.search.budget import DEFAULT_TRIALS
from graft.spec.search.schedulers import Asha, SchedulerSpec
from graft.spec.search.searchers import RandomSearcher, SearcherSpec

if TYPE_CHECKING:
    Scheduler: TypeAlias = SchedulerSpec
    Searcher: TypeAlias = SearcherSpec
else:
    Scheduler, Searcher = union("scheduler"), union("searcher")


class MetaBudgetSpec(Spec):
    """What a search may spend."""

    trials: int = Field(DEFAULT_TRIALS, ge=1, le=100_000, description="Most meta-trainings; a population has its own.")
    minutes: float | None = Field(None, gt=0, description="Most minutes of trials; no limit if left out.")


class MetaSearchSpec(Spec):
    """Which meta-trainings are tried, and which of them are stopped early."""

    scheduler: Scheduler = Field(Asha(), description="Decides which trials stop early.")
    searcher: Searcher = Field(RandomSearcher(), description="Decides which are tried.")
    population: int | None = Field(None, ge=2, le=10_000, description="Trials of a population (pbt, pb2).")
    metric: Literal["accuracy"] = Field("accuracy", description="On tasks of the validation classes.")
    seed: int = Field(0, ge=0, description="Of the search.")
    budget: MetaBudgetSpec = Field(MetaBudgetSpec(), description="What may be spent.")

    @model_validator(mode="after")
    def _population_fits(self) -> Self:
        if self.population is not None and not self.scheduler.is_population_based:
            told = f"is {self.population}, but {self.scheduler.kind} has no population; use budget.trials, or pbt"
            raise rejected("search", [Finding(("population",), told)])
        return self


class MetaResourcesSpec(Spec):
    """What a meta-training may use."""

    workers: int = Field(1, ge=1, le=64, description="Processes that share the tasks of each step.")
    concurrent_trials: int | None = Field(
        None, ge=1, le=10_000, description="Most meta-trainings at once; as many as fit if left out."
    )
