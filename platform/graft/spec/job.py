"""Job: the validated job file, from the data to the registered model."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from graft.spec.base import Spec
from graft.spec.data import DataSpec
from graft.spec.messages.rules import Finding, Path, broken, rejected
from graft.spec.outputs import ExportSpec, KeepSpec, TrackingSpec
from graft.spec.resources import ResourcesSpec
from graft.spec.search.phases import Phase, phases_of
from graft.spec.search.schedulers import Asha, Median, OneEpochTopK
from graft.spec.search.search import SearchSpec
from graft.spec.space.mutation import mutation_findings, population_finding
from graft.spec.space.space import StrategySpace
from graft.spec.training import TrainingSpec

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def _slug(name: str) -> str:
    if not _SLUG.fullmatch(name):
        raise broken("must be 1 to 64 of a-z, 0-9, `_` and `-`, and start with a letter or digit")
    return name


class Job(Spec):
    """All that graft needs to know to turn data into a model."""

    version: Literal[1] = Field(1, description="Version of the format of this file.")
    name: Annotated[str, AfterValidator(_slug), Field(json_schema_extra={"pattern": f"^{_SLUG.pattern}$"})] = Field(
        description="Name of the job; its experiments, and by default its model, are called by it."
    )
    data: DataSpec = Field(description="Where the samples are, and how they are split.")
    strategy: StrategySpace = Field(
        StrategySpace(), description="How a backbone may be adapted: each key a value, or a distribution to search."
    )
    training: TrainingSpec = Field(TrainingSpec(), description="How long a model is trained, and on what in the end.")
    search: SearchSpec = Field(SearchSpec(), description="Which strategies are tried, and when to end.")
    resources: ResourcesSpec = Field(ResourcesSpec(), description="What a trial may use.")
    tracking: TrackingSpec = Field(TrackingSpec(), description="Where runs are recorded.")
    keep: KeepSpec = Field(KeepSpec(), description="Which weights stay on the disk.")
    export: ExportSpec = Field(ExportSpec(), description="What becomes of the winner.")

    @property
    def experiment_name(self) -> str:
        """Name of the MLflow experiment."""
        return self.tracking.experiment or self.name

    @property
    def model_name(self) -> str:
        """Name of the registered model."""
        return self.export.model_name or self.name

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of the search, every default decided."""
        return phases_of(self.search, self.training.epochs)

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Self:
        findings = [finding for phase in self.phases for finding in self._phase_findings(phase)]
        findings += [*self._budget_findings(), *self._fit_findings()]
        if findings:
            raise rejected("job", findings)
        return self

    def _phase_findings(self, phase: Phase) -> Iterator[Finding]:
        at: Path = ("search", "phases", phase.index) if self.search.phases else ("search",)
        whole = phase.epochs == self.training.epochs
        limit = "training.epochs, which is" if whole else "the epochs of the phase, which are"
        if phase.epochs > self.training.epochs:
            told = f"is {phase.epochs}, but must be <= training.epochs, which is {self.training.epochs}"
            yield Finding((*at, "epochs"), told)
        if phase.from_top and phase.epochs <= self.phases[phase.index - 1].epochs:
            before = self.phases[phase.index - 1].epochs
            told = f"is {phase.epochs}, but must be > {before}, where the phase before ends; raise training.epochs"
            yield Finding((*at, "epochs"), told)
        first = _first_comparison(phase.scheduler)
        if first and first[1] > phase.epochs:
            told = f"is {first[1]}, but must be <= {limit} {phase.epochs}"
            yield Finding((*at, "scheduler", first[0]), told)
        if phase.is_population_based:
            yield from self._population_findings(phase, at)

    def _population_findings(self, phase: Phase, at: Path) -> Iterator[Finding]:
        for found in mutation_findings(self.strategy, phase.scheduler, phase.scheduler.mutate):
            yield Finding((*at, "scheduler", *found.path), found.message)
        if not phase.from_top:
            found_population = population_finding(self.strategy, phase.trials or 0, (*at, "population"))
            if found_population:
                yield found_population

    def _budget_findings(self) -> Iterator[Finding]:
        budget, price = self.search.budget, self.resources.price
        if budget.cost is not None and not (price.cpu_hour or price.gpu_hour):
            yield Finding(
                ("search", "budget", "cost"), f"is {budget.cost:g}, but nothing has a price; set resources.price"
            )
        sizes = [phase.trials for phase in self.phases if phase.trials is not None]
        if budget.trials is not None and sum(sizes) > budget.trials:
            whose = "phases have" if self.search.phases else "population has"
            told = f"is {budget.trials}, but the {whose} {sum(sizes)} trials; raise it, or leave it out"
            yield Finding(("search", "budget", "trials"), told)

    def _fit_findings(self) -> Iterator[Finding]:
        fit = self.training.fit
        workers = self.resources.workers if fit.workers == "auto" else fit.workers
        if fit.min_workers is not None and fit.min_workers > workers:
            told = f"is {fit.min_workers}, but must be <= the workers of the fit, which are {workers}"
            yield Finding(("training", "fit", "min_workers"), told)
        if fit.soup != "none" and self.training.final_on != "train":
            told = (
                f"is {fit.soup}, but a soup is judged on the validation samples, which final_on: "
                f"{self.training.final_on} trains on; set training.final_on to train"
            )
            yield Finding(("training", "fit", "soup"), told)


def _first_comparison(scheduler: object) -> tuple[str, int] | None:
    """The key and the epoch of the first decision a scheduler takes."""
    if isinstance(scheduler, Asha | Median):
        return "grace_epochs", scheduler.grace_epochs
    return ("epochs", scheduler.epochs) if isinstance(scheduler, OneEpochTopK) else None
