"""A job of meta-training: `kind: meta`, run by `graft meta-train`."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from graft.spec.base import Share, Spec
from graft.spec.job import USUAL_EPOCHS, FormatVersion, slug
from graft.spec.messages.rules import Finding, broken, dotted, joined, rejected
from graft.spec.meta.adapters import PrototypeAdapter
from graft.spec.meta.episode_settings import Adapt, Queries, Start, TasksAStep, Ways
from graft.spec.meta.search import MetaResourcesSpec, MetaSearchSpec
from graft.spec.meta.searched import CHANGEABLE, Searched, bounds_in, kinds_in, space_of
from graft.spec.meta.starts import MapStart
from graft.spec.modalities.base import DataSpec as _AnyData
from graft.spec.outputs import TrackingSpec
from graft.spec.registry import members, union
from graft.spec.space.space import StrategySpace

if TYPE_CHECKING:
    DataSpec: TypeAlias = _AnyData
else:
    DataSpec = union("data_kind")

_PROTOCOL = re.compile(r"([1-9]\d{0,2})w([1-9]\d{0,2})s")
Shots = Annotated[int, Field(ge=1, le=1000)]


def _protocol(name: str) -> str:
    found = _PROTOCOL.fullmatch(name)
    if not found or int(found[1]) < 2:
        raise broken("must be like `5w1s`: at least 2 ways, and shots")
    return name


class TasksSpec(Spec):
    """Which tasks are drawn."""

    ways: Ways = Field(20, description="Classes of a task.")
    shots: tuple[Shots, ...] = Field(
        (1, 5), strict=False, min_length=1, description="Labelled samples a class; of several one is drawn a step."
    )
    queries: Queries = Field(5, description="Samples a class that are asked about.")
    within: Share = Field(
        0.5, description="Share of the tasks whose classes are all of one group, if there are groups."
    )
    groups: Literal["none", "column", "label_prefix"] = Field(
        "none",
        description="What groups classes: `group` of the data, or what stands before the first `/` of a label.",
    )
    duplicates: Literal["refuse", "drop"] = Field(
        "refuse", description="What is done about copies of samples: one among the queries gives its answer away."
    )


class HeldOutSpec(Spec):
    """Which classes are never trained on; whole groups, where there are groups."""

    validation: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.15, description="Share of the classes (of the groups) whose tasks end the training early."
    )
    test: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.15, description="Share of the classes (of the groups) whose tasks are reported, and seen once."
    )
    seed: int = Field(0, ge=0, description="Draws them.")


class MetaTrainingSpec(Spec):
    """How long, and how fast."""

    epochs: Annotated[int, Field(ge=1, le=1000)] = Field(2 * USUAL_EPOCHS, description="At most.")
    steps: Annotated[int, Field(ge=1, le=100_000)] = Field(100, description="Of an epoch.")
    tasks: TasksAStep = Field(1, description="Of a step, over all workers.")
    lr: Annotated[float, Field(gt=0, le=10)] = Field(1e-3, description="Peak learning rate.")
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(1e-3, description="Decoupled.")
    patience: Annotated[int, Field(ge=1)] | None = Field(
        4, description="Epochs without a better one on held-out tasks after which training ends."
    )
    seed: int = Field(0, ge=0, description="Of weights and tasks.")


class ReportSpec(Spec):
    """What is measured in the end."""

    protocols: tuple[Annotated[str, AfterValidator(_protocol)], ...] = Field(
        ("5w1s", "5w5s"), strict=False, min_length=1, description="Ways and shots, such as 20w1s."
    )
    episodes: Annotated[int, Field(ge=2, le=100_000)] = Field(600, description="Tasks that each is measured on.")


class MetaJob(Spec):
    """All that `graft meta-train` needs to know.

    The keys of `searched.SEARCHABLE` may be distributions. Then the job is a search; its own fields hold one value of
    each, and `space` all of them.
    """

    version: FormatVersion = Field(1, description="Version of the format of this file.")
    kind: Literal["meta"] = Field(description="`meta`: a job of meta-training.")
    name: Annotated[str, AfterValidator(slug)] = Field(description="Name of the job, and of its meta-model.")
    data: DataSpec = Field(description="Where the samples are; all of them are used, whatever split they are of.")
    strategy: StrategySpace = Field(
        StrategySpace(), description="The backbone whose features tasks are made of, and the size of its inputs."
    )
    start: Start = Field(MapStart(), description="Where adaptation starts, and what of it is learned.")
    adapter: Adapt = Field(PrototypeAdapter(), description="How a start is adapted to a task.")
    tasks: TasksSpec = Field(TasksSpec(), description="Which tasks are drawn.")
    held_out: HeldOutSpec = Field(HeldOutSpec(), description="Which classes are never trained on.")
    training: MetaTrainingSpec = Field(MetaTrainingSpec(), description="How long, and how fast.")
    report: ReportSpec = Field(ReportSpec(), description="What is measured in the end.")
    search: MetaSearchSpec | None = Field(
        None, description="How what is given as a distribution is searched; asha over random draws if left out."
    )
    resources: MetaResourcesSpec = Field(MetaResourcesSpec(), description="What a meta-training may use.")
    tracking: TrackingSpec = Field(TrackingSpec(), description="Where runs are recorded.")
    _searched: Searched = PrivateAttr(default=Searched())

    @property
    def experiment_name(self) -> str:
        """Name of the MLflow experiment."""
        return self.tracking.experiment or self.name

    @property
    def is_search(self) -> bool:
        """Whether anything in it is a distribution."""
        return bool(self._searched.given)

    @property
    def searched(self) -> tuple[str, ...]:
        """The keys that are distributions, dotted."""
        return tuple(map(dotted, self._searched.given))

    @property
    def space(self) -> StrategySpace:
        """All that may be tried, as strategies; one where nothing is searched."""
        return space_of(self.model_dump(mode="json"))

    @property
    def views(self) -> tuple[str, ...]:
        """What of a sample some start reads."""
        found = (view for kind in kinds_in(self.space, "start") for view in members("meta_start")[kind].views)  # type: ignore[attr-defined]
        return tuple(dict.fromkeys(found))

    def bounds(self, name: str) -> tuple[float, float]:
        """The lowest and the highest of ways, queries, or within that may be tried."""
        return bounds_in(self.space, name)

    @model_validator(mode="wrap")
    @classmethod
    def _with_spaces(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        searched = Searched.of(raw) if isinstance(raw, Mapping) else Searched()
        if not searched.given:
            return handler(raw)
        try:
            job = handler(searched.without(raw))
        except ValidationError as error:
            raise joined("job", error, searched.findings) from error
        if searched.findings:
            raise rejected("job", searched.findings)
        job._searched = searched
        if findings := [*job._findings_of_search()]:
            raise rejected("job", findings)
        return job

    @model_serializer(mode="wrap")
    def _dumped(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain: dict[str, Any] = handler(self)
        return self._searched.put_into(plain)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        findings = list(self._findings())
        if findings:
            raise rejected("job", findings)
        return self

    def _findings(self) -> Iterator[Finding]:
        if not type(self.adapter).learns:
            yield Finding(("adapter",), _LEARNS_NOTHING.format(self.adapter.kind))
        if self.held_out.validation + self.held_out.test >= 1:
            told = f"is {self.held_out.test:g}, but with validation it must be < 1, or no class is left to learn from"
            yield Finding(("held_out", "test"), told)
        if self.training.tasks % self.resources.workers:
            told = f"is {self.training.tasks}, but must be a multiple of resources.workers, {self.resources.workers}"
            yield Finding(("training", "tasks"), f"{told}: each has as many tasks of a step")
        if "episodes" in self.strategy.dump():
            yield Finding(("strategy", "episodes"), "is given, but a job says it in `start`, `adapter` and `tasks`")

    def _findings_of_search(self) -> Iterator[Finding]:
        known = members("adapter")
        for kind in kinds_in(self.space, "adapter"):
            if not known[kind].learns:  # type: ignore[attr-defined]
                yield Finding(("adapter",), _LEARNS_NOTHING.format(kind))
        if self.strategy.distributions():
            told = "is searched, but all meta-trainings of a job have the same features; give it one value"
            yield Finding(("strategy", next(iter(self.strategy.distributions()))), told)
        workers = self.resources.workers
        if workers > 1 and ("training", "tasks") in self._searched.given:
            told = f"is searched, but must be a multiple of resources.workers, {workers}; give it one value"
            yield Finding(("training", "tasks"), told)
        search = self.search or MetaSearchSpec()
        for path in self._searched.given if search.scheduler.is_population_based else ():
            if path not in CHANGEABLE:
                told = f"is searched, but the members of {search.scheduler.kind} copy each other's weights and vary"
                alone = " and ".join(map(dotted, CHANGEABLE))
                yield Finding(path, f"{told} {alone} alone; give it one value, or use asha")


_LEARNS_NOTHING = "is {}, through which no start is learned; take prototypes, ridge, anil or maml"


def ways_and_shots(protocol: str) -> tuple[int, int]:
    """5 and 1 of ``5w1s``."""
    ways, shots = protocol.rstrip("s").split("w")
    return int(ways), int(shots)
