"""`strategy.head`: what turns features into outputs."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component

DropoutRate = Annotated[float, Field(ge=0, lt=1)]


class HeadSpec(Component):
    """A head; built from (spec, length of the features, number of outputs)."""

    without_weights: ClassVar[tuple[str, ...]] = ("dropout",)
    """Fields that shape no weight: heads that differ in them alone can copy each other's weights."""


class LinearHead(HeadSpec):
    """One linear layer on the pooled features."""

    kind: Literal["linear"] = "linear"
    built_by: ClassVar[str] = "graft.models.network:linear_head"
    dropout: DropoutRate = Field(0.0, description="Dropout before the last layer.")


class MlpHead(HeadSpec):
    """Hidden layers with GELU, then a linear layer."""

    kind: Literal["mlp"] = "mlp"
    built_by: ClassVar[str] = "graft.models.network:mlp_head"
    width: int = Field(256, ge=1, le=8192, description="Units of a hidden layer.")
    depth: int = Field(1, ge=1, le=4, description="Number of hidden layers.")
    dropout: DropoutRate = Field(0.0, description="Dropout before each linear layer behind the first.")
