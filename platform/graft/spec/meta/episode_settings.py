"""What a meta-training decides beside its learning rate: where tasks start, how they are adapted to, how they look."""

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

from graft.spec.base import Share, Spec
from graft.spec.meta.adapters import AdapterSpec, PrototypeAdapter
from graft.spec.meta.starts import MapStart, StartSpec
from graft.spec.registry import union

if TYPE_CHECKING:
    Start: TypeAlias = StartSpec
    Adapt: TypeAlias = AdapterSpec
else:
    Start, Adapt = union("meta_start"), union("adapter")

Ways = Annotated[int, Field(ge=2, le=1000)]
Queries = Annotated[int, Field(ge=1, le=1000)]
TasksAStep = Annotated[int, Field(ge=1, le=1024)]


class EpisodeSettings(Spec):
    """The part of a strategy that only meta-trainings have; their job files say it in `start`, `adapter`, `tasks`."""

    start: Start = Field(MapStart(), description="Where adaptation starts, and what of it is learned.")
    adapter: Adapt = Field(PrototypeAdapter(), description="How a start is adapted to a task.")
    ways: Ways = Field(20, description="Classes of a task.")
    queries: Queries = Field(5, description="Samples a class that are asked about.")
    within: Share = Field(0.5, description="Share of the tasks whose classes are all of one group.")
    tasks: TasksAStep = Field(1, description="Of a step.")

    def shape(self) -> dict[str, Any]:
        """What weights must agree in to be copied from one meta-training to another."""
        return {"start": self.start.model_dump(mode="json"), "adapter": self.adapter.model_dump(mode="json")}
