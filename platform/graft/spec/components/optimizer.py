"""`strategy.optimizer`: how the weights move."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component


class OptimizerSpec(Component):
    """An optimiser; built from (spec, parameter groups)."""

    def simplest(self) -> "OptimizerSpec":
        """The optimiser that means the same, with parameters that have no effect at their defaults."""
        return self


class AdamW(OptimizerSpec):
    """AdamW (Loshchilov and Hutter, ICLR 2019)."""

    kind: Literal["adamw"] = "adamw"
    built_by: ClassVar[str] = "graft.training.optimizer:adamw"


class Sgd(OptimizerSpec):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    built_by: ClassVar[str] = "graft.training.optimizer:sgd"
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="Momentum factor.")
    nesterov: bool = Field(True, description="Nesterov's form; without effect when momentum is 0.")

    def simplest(self) -> OptimizerSpec:
        """Without momentum, Nesterov's form is the plain one."""
        return self.model_copy(update={"nesterov": False}) if self.momentum == 0 else self
