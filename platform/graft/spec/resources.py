"""`resources`: what a trial may use of the machine or the cluster."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from graft.spec.base import Spec
from graft.spec.messages.rules import broken


def _cpus(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value == "auto" or (is_number and 0 < value <= 4096):
        return value
    if isinstance(value, str):
        raise broken("must be a number of CPUs, without quotes, or auto")
    raise broken("must be a number of CPUs > 0 and <= 4096, or auto")


def _gpus(value: Any) -> Any:
    if value == "auto":
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 64:
        raise broken("must be a number of GPUs >= 0 and <= 64, without quotes, or auto")
    if value > 1 and value != int(value):
        raise broken(
            f"must be a whole number above 1; a share of a GPU is below 1; use {int(value)} or {int(value) + 1}"
        )
    return value


class PriceSpec(Spec):
    """What resources cost, in any one currency; `search.budget.cost` is counted with it."""

    cpu_hour: float = Field(0.0, ge=0, description="Price of one CPU for one hour.")
    gpu_hour: float = Field(0.0, ge=0, description="Price of one GPU for one hour.")
    node_hour: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {},
        description="Price of one node of a cluster for one hour, by the name of its type; the others cost what "
        "their CPUs and GPUs cost.",
    )

    def where_nodes(self, are_counted: bool) -> "PriceSpec":
        """The prices that count: those of nodes only where somebody counts nodes."""
        return self if are_counted else self.model_copy(update={"node_hour": {}})

    @property
    def is_given(self) -> bool:
        """Whether anything has a price."""
        return bool(self.cpu_hour or self.gpu_hour or any(self.node_hour.values()))


class ResourcesSpec(Spec):
    """What a trial may use of the machine or the cluster."""

    workers: int = Field(
        1, ge=1, le=1024, description="Processes that train one trial together, each on a part of every batch."
    )
    cpus_per_worker: Annotated[
        float | Literal["auto"],
        BeforeValidator(_cpus),
        WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 4096}, {"const": "auto"}]}),
    ] = Field("auto", description="CPU cores of a worker; auto shares the cores among the trials that run at once.")
    gpus_per_worker: Annotated[
        float | Literal["auto"],
        BeforeValidator(_gpus),
        WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 64}, {"const": "auto"}]}),
    ] = Field(
        "auto",
        description="GPUs of a worker; a share such as 0.5 lets trials share one; auto is 1 where any are, else 0.",
    )
    gpu_type: str | None = Field(
        None,
        min_length=1,
        description="The only kind of GPU to train on, by Ray's label `ray.io/accelerator-type`: A10G, L4, H100.",
    )
    placement: Literal["pack", "spread"] = Field(
        "pack", description="pack: a trial's workers on as few nodes as possible; spread: on as many."
    )
    concurrent_trials: int | None = Field(
        None, ge=1, le=10_000, description="Most trials at once; as many as fit if left out."
    )
    fuse_heads: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Train trials that differ only in their heads in one computation; auto: where there is a GPU.",
    )
    price: PriceSpec = Field(PriceSpec(), description="What resources cost.")
