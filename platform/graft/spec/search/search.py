"""`search`: which strategies are tried, in which phases, which are stopped early, and when to end."""

from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from graft.spec.base import Spec
from graft.spec.messages.rules import Finding, rejected
from graft.spec.registry import union
from graft.spec.search.budget import METRIC_NAMES, BudgetSpec
from graft.spec.search.evaluation import EvaluationSpec
from graft.spec.search.schedulers import Asha, NoScheduler, OneEpochTopK, Pb2, Pbt, SchedulerSpec
from graft.spec.search.searchers import MetaSearcher, SearcherSpec
from graft.spec.space.space import StrategySpace

if TYPE_CHECKING:
    Scheduler: TypeAlias = SchedulerSpec
    Searcher: TypeAlias = SearcherSpec
else:
    Scheduler, Searcher = union("scheduler"), union("searcher")

__all__ = [
    "Asha",
    "BudgetSpec",
    "NoScheduler",
    "OneEpochTopK",
    "Pb2",
    "Pbt",
    "PhaseSpec",
    "SearchSpec",
]

DEFAULT_POPULATION = 6
AUTO = "auto"
"""The metric that the task is usually judged by."""


class PhaseSpec(Spec):
    """One phase of a search."""

    model_config = ConfigDict(serialize_by_alias=True)

    scheduler: Scheduler = Field(Asha(), description="Decides which trials stop early.")
    searcher: Searcher = Field(MetaSearcher(), description="Decides which strategies are tried.")
    trials: int | None = Field(None, ge=1, le=100_000, description="Most strategies this phase tries.")
    population: int | None = Field(
        None, ge=2, le=10_000, description=f"Trials of a population (pbt, pb2); {DEFAULT_POPULATION} if left out."
    )
    epochs: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Epochs a trial has behind it when the phase ends; phases that build on each other share "
        "training.epochs evenly if left out.",
    )
    start: Literal["space", "top"] = Field(
        "space",
        alias="from",
        description="space: strategies are drawn anew. top: the best trials of the phase before go on.",
    )

    @property
    def is_population_based(self) -> bool:
        """Whether trials copy from each other."""
        return self.scheduler.is_population_based

    @property
    def size(self) -> int | None:
        """How many trials the phase has if nothing ends it before; None is no limit of its own."""
        return (self.population or DEFAULT_POPULATION) if self.is_population_based else self.trials

    @model_validator(mode="after")
    def _population_fits_the_scheduler(self) -> Self:
        findings = []
        if self.population is not None and not self.is_population_based:
            told = f"is {self.population}, but {self.scheduler.kind} has no population; use `trials`, or pbt or pb2"
            findings.append(Finding(("population",), told))
        if self.trials is not None and self.is_population_based:
            told = f"is {self.trials}, but the trials of {self.scheduler.kind} are its population; use `population`"
            findings.append(Finding(("trials",), told))
        if findings:
            raise rejected("phase", findings)
        return self


class SearchSpec(Spec):
    """Which strategies are tried, which are stopped early, and when to end."""

    scheduler: Scheduler = Field(Asha(), description="Decides which trials stop early; for a search of one phase.")
    searcher: Searcher = Field(MetaSearcher(), description="Decides which strategies are tried.")
    population: int | None = Field(
        None, ge=2, le=10_000, description=f"Trials of a population (pbt, pb2); {DEFAULT_POPULATION} if left out."
    )
    phases: list[PhaseSpec] = Field(
        [], max_length=16, description="Several phases, one after the other, instead of one scheduler."
    )
    first: list[StrategySpace] | None = Field(
        None,
        max_length=64,
        description="Strategies that are tried before any is drawn, in this order; none of them is stopped early. If "
        "left out: those of docs/defaults.md where `strategy` is left out too, else none.",
    )
    metric: str = Field(
        AUTO,
        min_length=1,
        json_schema_extra={"enum": [AUTO, *METRIC_NAMES]},
        description="What trials are compared by, on the validation samples; auto is the task's own.",
    )
    seed: int = Field(0, ge=0, description="Seed of the search and of every training.")
    budget: BudgetSpec = Field(BudgetSpec(), description="What may be spent.")
    evaluation: EvaluationSpec = Field(EvaluationSpec(), description="What a trial's score is taken on.")

    @model_validator(mode="before")
    @classmethod
    def _list_of_phases(cls, raw: Any) -> Any:
        if raw == []:
            raise rejected(
                "search", [Finding((), "is an empty list, but must have a phase, as in `- scheduler: asha`")]
            )
        return {"phases": raw} if isinstance(raw, list) else raw

    @model_validator(mode="after")
    def _phases_are_whole(self) -> Self:
        findings = [*self._doubly_given(), *self._first_from_top(), *self._target_findings(), *self._open_firsts()]
        if not self.phases and self.population is not None and not self.scheduler.is_population_based:
            told = f"is {self.population}, but {self.scheduler.kind} has no population; use `budget.trials`, or pbt"
            findings.append(Finding(("population",), told))
        if findings:
            raise rejected("search", findings)
        return self

    def _doubly_given(self) -> list[Finding]:
        if not self.phases:
            return []
        mine = {
            "scheduler": self.scheduler != Asha(),
            "searcher": self.searcher != MetaSearcher(),
            "population": self.population is not None,
        }
        given = [name for name, differs in mine.items() if differs]
        return [Finding((name,), "is given beside `phases`; put it into each phase instead") for name in given]

    def _first_from_top(self) -> list[Finding]:
        if self.phases and self.phases[0].start == "top":
            return [Finding(("phases", 0, "from"), "is `top`, but there is no phase before the first; use `space`")]
        return []

    def _open_firsts(self) -> list[Finding]:
        """What is tried first is a strategy, not a space."""
        told = "is a distribution, but a strategy that is tried first must be whole; give one value"
        return [
            Finding(("first", place, *key.split(".")), told)
            for place, space in enumerate(self.first or ())
            for key in space.distributions()
        ]

    def _target_findings(self) -> list[Finding]:
        target = self.budget.target
        if not isinstance(target, dict) or self.metric in (AUTO, *target):
            return []
        told = f"is a value of `{next(iter(target))}`, but must be one of `{self.metric}`, which is `search.metric`"
        return [Finding(("budget", "target"), told)]
