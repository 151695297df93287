"""`strategy.unfreeze`: when the weights that train begin to."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component


class UnfreezingSpec(Component):
    """An order in which blocks begin to train; built from (spec, moment): the phase that training is in.

    Pure, and of the step alone, so there is no state to resume. Head and redrawn blocks train from the first step.
    """

    def simplest(self, blocks: int) -> "UnfreezingSpec":
        """What means the same for so many pretrained blocks that train."""
        return self if blocks else AtOnce()


class AtOnce(UnfreezingSpec):
    """All of them from the first step."""

    kind: Literal["none"] = "none"
    built_by: ClassVar[str] = "graft.transfer.unfreezing:at_once"


class Gradual(UnfreezingSpec):
    """The head alone, then a group of blocks after the other, from the top (Howard and Ruder, ACL 2018)."""

    kind: Literal["gradual"] = "gradual"
    built_by: ClassVar[str] = "graft.transfer.unfreezing:gradual"
    groups: int = Field(3, ge=1, le=100, description="Groups that the blocks above the cut are divided into.")
    until: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="Share of the training after which all of them train."
    )

    def simplest(self, blocks: int) -> UnfreezingSpec:
        """No more groups than blocks."""
        return self.model_copy(update={"groups": min(self.groups, blocks)}) if blocks else AtOnce()


class HeadFirst(UnfreezingSpec):
    """The head alone, then everything (LP-FT: Kumar et al., ICLR 2022)."""

    kind: Literal["head_first"] = "head_first"
    built_by: ClassVar[str] = "graft.transfer.unfreezing:head_first"
    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.3, description="Share of the epochs that train the head alone; at least one, if there are several."
    )
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05, description="Share of all steps in which the learning rate of what joins rises."
    )
