"""A job of meta-training: `kind: meta`, run by `graft meta-train`."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from graft.spec.base import Share, Spec
from graft.spec.job import USUAL_EPOCHS, slug
from graft.spec.messages.rules import Finding, broken, rejected
from graft.spec.meta.adapters import AdapterSpec, PrototypeAdapter
from graft.spec.meta.starts import MapStart, StartSpec
from graft.spec.modalities.base import DataSpec as _AnyData
from graft.spec.outputs import TrackingSpec
from graft.spec.registry import union
from graft.spec.space.space import StrategySpace

if TYPE_CHECKING:
    DataSpec: TypeAlias = _AnyData
    Start: TypeAlias = StartSpec
    Adapt: TypeAlias = AdapterSpec
else:
    DataSpec, Start, Adapt = union("data_kind"), union("meta_start"), union("adapter")

_PROTOCOL = re.compile(r"([1-9]\d{0,2})w([1-9]\d{0,2})s")
Shots = Annotated[int, Field(ge=1, le=1000)]


def _protocol(name: str) -> str:
    found = _PROTOCOL.fullmatch(name)
    if not found or int(found[1]) < 2:
        raise broken("must be like `5w1s`: at least 2 ways, and shots")
    return name


class TasksSpec(Spec):
    """Which tasks are drawn."""

    ways: Annotated[int, Field(ge=2, le=1000)] = Field(20, description="Classes of a task.")
    shots: tuple[Shots, ...] = Field(
        (1, 5), strict=False, min_length=1, description="Labelled samples a class; of several one is drawn a step."
    )
    queries: Annotated[int, Field(ge=1, le=1000)] = Field(5, description="Samples a class that are asked about.")
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
    tasks: Annotated[int, Field(ge=1, le=1024)] = Field(1, description="Of a step.")
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
    """All that `graft meta-train` needs to know."""

    version: Literal[1] = Field(1, description="Version of the format of this file.")
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
    tracking: TrackingSpec = Field(TrackingSpec(), description="Where runs are recorded.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        findings = list(self._findings())
        if findings:
            raise rejected("job", findings)
        return self

    def _findings(self) -> Iterator[Finding]:
        if not type(self.adapter).learns:
            told = f"is {self.adapter.kind}, through which no start is learned; take prototypes, ridge, anil or maml"
            yield Finding(("adapter",), told)
        if self.held_out.validation + self.held_out.test >= 1:
            told = f"is {self.held_out.test:g}, but with validation it must be < 1, or no class is left to learn from"
            yield Finding(("held_out", "test"), told)


def ways_and_shots(protocol: str) -> tuple[int, int]:
    """5 and 1 of ``5w1s``."""
    ways, shots = protocol.rstrip("s").split("w")
    return int(ways), int(shots)
