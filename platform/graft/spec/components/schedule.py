"""`strategy.schedule`: how the learning rate runs over the steps."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component


class ScheduleSpec(Component):
    """A schedule; built from (spec, step, total steps): the factor of the peak learning rate at a step."""


class Constant(ScheduleSpec):
    """The learning rate stays as it is."""

    kind: Literal["constant"] = "constant"
    built_by: ClassVar[str] = "graft.training.optimizer:constant_factor"


class Cosine(ScheduleSpec):
    """Linear warm-up, then half a cosine down to zero just behind the last step."""

    kind: Literal["cosine"] = "cosine"
    built_by: ClassVar[str] = "graft.training.optimizer:cosine_factor"
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="Share of all steps that warm up.")


class OneCycle(ScheduleSpec):
    """Half a cosine from peak / 25 up, then half a cosine down to almost nothing (Smith and Topin, 2018).

    The learning rate's part of that policy, as torch and fast.ai have it; momentum stays as it is.
    """

    kind: Literal["one_cycle"] = "one_cycle"
    built_by: ClassVar[str] = "graft.training.optimizer:one_cycle_factor"
    rise: Annotated[float, Field(gt=0, lt=1)] = Field(0.3, description="Share of all steps on the way up.")
    start: Annotated[float, Field(gt=0, le=1)] = Field(0.04, description="Factor of the first step.")
