"""Job: the validated job file, from the data to the registered model."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from graft.spec.base import Spec
from graft.spec.defaults.default_space import default_space
from graft.spec.defaults.preset import Preset
from graft.spec.messages.rules import Finding, Path, broken, joined, rejected, shown
from graft.spec.messages.sentences import must_be_one_of, nearest_hint
from graft.spec.metrics import MetricSpec
from graft.spec.modalities.base import DataSpec as _AnyData
from graft.spec.outputs import ExportSpec, KeepSpec, MemorySpec, TrackingSpec
from graft.spec.registry import members, union
from graft.spec.resources import ResourcesSpec
from graft.spec.search.phases import Phase, can_shorten, phases_of
from graft.spec.search.search import AUTO, SearchSpec
from graft.spec.space.mutation import mutation_findings, population_finding, solved_finding
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.auto import AutoTask
from graft.spec.tasks.base import TaskSpec
from graft.spec.training import TrainingSpec

if TYPE_CHECKING:
    DataSpec: TypeAlias = _AnyData
    Task: TypeAlias = TaskSpec
else:
    DataSpec, Task = union("data_kind"), union("task")

USUAL_EPOCHS = 8
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def slug(name: str) -> str:
    """A name that a job can have."""
    if not _SLUG.fullmatch(name):
        raise broken("must be 1 to 64 of a-z, 0-9, `_` and `-`, and start with a letter or digit")
    if name == "latest":
        raise broken("must be another name: `latest` means the newest experiment of all jobs")
    return name


def _readable(version: Any) -> Any:
    if type(version) is int and version > 1:
        raise broken("must be 1, the newest that this graft reads; upgrade graft")
    return version


FormatVersion = Annotated[Literal[1], BeforeValidator(_readable)]
"""Of a job file."""


class Job(Spec):
    """All that graft needs to know to turn data into a model."""

    version: FormatVersion = Field(1, description="Version of the format of this file.")
    name: Annotated[str, AfterValidator(slug), Field(json_schema_extra={"pattern": f"^{_SLUG.pattern}$"})] = Field(
        description="Name of the job; its experiments, and by default its model, are called by it."
    )
    data: DataSpec = Field(description="Where the samples are, and how they are split.")
    task: Task = Field(AutoTask(), description="What is asked of the samples; auto is what their labels suggest.")
    strategy: StrategySpace = Field(
        StrategySpace(),
        description="How a backbone may be adapted: each key a value, or a distribution to search. "
        "If it is left out: what samples and task suggest.",
    )
    preset: Preset = Field(
        "balanced",
        description="How much is tried where `strategy` is left out. fast: heads and last blocks alone. balanced: the "
        "whole network first, then a search. best: larger inputs, longer trainings, several views or an average.",
    )
    training: TrainingSpec = Field(TrainingSpec(), description="How long a model is trained, and on what in the end.")
    search: SearchSpec = Field(SearchSpec(), description="Which strategies are tried, and when to end.")
    resources: ResourcesSpec = Field(ResourcesSpec(), description="What a trial may use.")
    tracking: TrackingSpec = Field(TrackingSpec(), description="Where runs are recorded.")
    keep: KeepSpec = Field(KeepSpec(), description="Which weights stay on the disk.")
    memory: MemorySpec = Field(MemorySpec(), description="What later searches learn from this one.")
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
    def objective(self) -> MetricSpec:
        """What trials are compared by, with its direction.

        Raises:
            ValueError: the task has not been decided yet (`graft.pipeline.resolve`).
        """
        task, name = self.decided_task, self.search.metric
        found = task.metric(task.default_metric if name == AUTO else name)
        if found is None:
            raise ValueError(f"task {task.kind} has no metric {name}; resolve the job first")
        return found

    @property
    def decided_task(self) -> TaskSpec:
        """The task: as given, or as the kind of data itself suggests; still `auto` where the labels must be seen."""
        return _decided(self.data, self.task)

    @property
    def space(self) -> StrategySpace:
        """What is searched: the strategy as given, or what samples and task suggest where nothing is."""
        given: StrategySpace = self.strategy
        return given if given.dump() else StrategySpace.parse(default_space(self.data, self.decided_task))

    @property
    def first(self) -> tuple[Strategy, ...]:
        """Strategies that are tried before any is drawn; none as long as the job is not resolved and names none."""
        return tuple(space.only() for space in self.search.first or ())

    @property
    def reach(self) -> StrategySpace:
        """All that may be tried, drawn or first: what must be there, and fit the data, whatever comes."""
        return self.space.widened(self.search.first or ())

    def reach_of(self, backbone: str) -> StrategySpace:
        """The same, without what is tried first of other backbones."""
        return self.space.widened(one for one in self.search.first or () if one.only().backbone == backbone)

    @property
    def strategies(self) -> int | None:
        """How many there are to try; None: without end."""
        drawn = self.space.grid_size()
        return None if drawn is None else drawn + len(self.search.first or ())

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of the search, every default decided."""
        return phases_of(self.search, self.epochs)

    @property
    def epochs(self) -> int:
        """The most that a trial, or the fit, trains; as long as nobody has counted the samples, what is usual."""
        return self.training.epochs or USUAL_EPOCHS

    @field_validator("search", mode="wrap")
    @classmethod
    def _metric_is_of_the_task(cls, raw: Any, handler: Any, info: ValidationInfo) -> SearchSpec:
        data, task = info.data.get("data"), info.data.get("task")
        decided = _decided(data, task) if data and task else AutoTask()
        try:
            search: SearchSpec = handler(raw)
        except ValidationError as error:
            given = raw.get("metric") if isinstance(raw, Mapping) else None
            raise joined("search", error, _metric_findings(given, decided)) from error
        findings = [*_metric_findings(search.metric, decided), *_target_findings(search, decided)]
        if findings:
            raise rejected("search", findings)
        return search

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Self:
        findings = [finding for phase in self.phases for finding in self._phase_findings(phase)]
        findings += [*self._budget_findings(), *self._fit_findings(), *self._fold_findings(), *self._shorten_findings()]
        if findings:
            raise rejected("job", findings)
        return self

    def _phase_findings(self, phase: Phase) -> Iterator[Finding]:
        at: Path = ("search", "phases", phase.index) if self.search.phases else ("search",)
        if self.training.epochs is not None:  # else they follow from the samples, and from what is asked for here
            yield from self._length_findings(phase, at, self.training.epochs)
        if phase.is_population_based:
            yield from self._population_findings(phase, at)

    def _length_findings(self, phase: Phase, at: Path, most: int) -> Iterator[Finding]:
        whole = phase.epochs == most
        limit = "training.epochs, which is" if whole else "the epochs of the phase, which are"
        if phase.epochs > most:
            told = f"is {phase.epochs}, but must be <= training.epochs, which is {most}"
            yield Finding((*at, "epochs"), told)
        if phase.from_top and phase.epochs <= self.phases[phase.index - 1].epochs:
            before = self.phases[phase.index - 1].epochs
            told = f"is {phase.epochs}, but must be > {before}, where the phase before ends; raise training.epochs"
            yield Finding((*at, "epochs"), told)
        first = phase.scheduler.first_comparison()
        if first and first[1] > phase.epochs:
            told = f"is {first[1]}, but must be <= {limit} {phase.epochs}"
            yield Finding((*at, "scheduler", first[0]), told)

    def _population_findings(self, phase: Phase, at: Path) -> Iterator[Finding]:
        if phase.index == 0 and self.search.first:
            told = f"names strategies, but the members of {phase.scheduler.kind} are drawn; leave it out, or use asha"
            yield Finding(("search", "first"), told)
        if found_head := solved_finding(self.space):
            yield found_head
        for found in mutation_findings(self.space, phase.scheduler, phase.scheduler.mutate):
            yield Finding((*at, "scheduler", *found.path), found.message)
        if not phase.from_top:
            found_population = population_finding(self.space, phase.trials or 0, (*at, "population"))
            if found_population:
                yield found_population

    def _budget_findings(self) -> Iterator[Finding]:
        budget, price = self.search.budget, self.resources.price
        if budget.cost is not None and not price.is_given:
            yield Finding(
                ("search", "budget", "cost"), f"is {budget.cost:g}, but nothing has a price; set resources.price"
            )
        sizes = [phase.trials for phase in self.phases if phase.trials is not None]
        if budget.trials is not None and sum(sizes) > budget.trials:
            whose = "phases have" if self.search.phases else "population has"
            told = f"is {budget.trials}, but the {whose} {sum(sizes)} trials; raise it, or leave it out"
            yield Finding(("search", "budget", "trials"), told)

    def _fold_findings(self) -> Iterator[Finding]:
        folds, at = self.search.evaluation.folds, ("search", "evaluation", "folds")
        if folds is None:
            return
        if self.resources.workers > 1 and self.search.evaluation.is_of_all:
            told = f"is {folds}, but a trial has {self.resources.workers} workers; set resources.workers to 1"
            yield Finding(at, told)
        if any(phase.is_population_based or phase.from_top for phase in self.phases):
            told = "but trials that copy others, or go on from them, have no models of folds; use one phase of asha"
            yield Finding(at, f"is {folds}, {told}")

    def _shorten_findings(self) -> Iterator[Finding]:
        if self.training.shorten and not can_shorten(self.search):
            told = "is true, but trials of phases and of populations go on from where others end; leave it out"
            yield Finding(("training", "shorten"), told)

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


def _decided(data: _AnyData, task: TaskSpec) -> TaskSpec:
    if not isinstance(task, AutoTask) or data.task_hint is None:
        return task
    found: TaskSpec = members("task")[data.task_hint[0]].model_validate({})  # type: ignore[assignment]
    return found


def _metric_names(task: TaskSpec) -> list[str]:
    """A metric belongs to the task; as long as that is not decided, to some task."""
    tasks = [*members("task").values()] if isinstance(task, AutoTask) else [task]
    return list(dict.fromkeys(one.name for task in tasks for one in getattr(task, "metrics", ())))


def _metric_findings(name: Any, task: TaskSpec) -> Iterator[Finding]:
    known = _metric_names(task)
    if isinstance(name, str) and name not in (AUTO, *known):
        yield Finding(("metric",), f"is {shown(name)}, but {must_be_one_of(known)}{nearest_hint(name, known)}")


def _target_findings(search: SearchSpec, task: TaskSpec) -> Iterator[Finding]:
    target, usual, known = search.budget.target, task.default_metric, _metric_names(task)
    if search.metric != AUTO or not isinstance(target, dict):
        return
    wanted = next(iter(target))
    if wanted not in ([usual] if usual else known):
        rule = f"must be one of `{usual}`, which is `search.metric`" if usual else must_be_one_of(known)
        yield Finding(("budget", "target"), f"is a value of `{wanted}`, but {rule}")
