"""`strategy.head_start`: where a linear head starts from."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component


class HeadStart(Component):
    """A start of the head."""

    started_by: ClassVar[str] = ""
    """``module:attribute`` of what puts the head of a training that has not begun there, ``start(spec, beginning)``
    (`graft.learner.closed_form.head_start`); empty for what a new head is anyway."""


class RandomStart(HeadStart):
    """Small random numbers."""

    kind: Literal["random"] = "random"


class ClosedFormStart(HeadStart):
    """The head that is solved on the features of the backbone as it starts, with its logits scaled down.

    LP-FT (Kumar et al., ICLR 2022) without the training of the probe. A head that fits its rows well has large logits,
    which smoothing and the first steps fight against; so they are scaled until the mean loss of the training rows is
    `level` of what a head of zeros has.
    """

    kind: Literal["closed_form"] = "closed_form"
    started_by: ClassVar[str] = "graft.learner.closed_form.head_start:start_solved"
    level: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="Mean loss of the training rows at the start, as a share of that of a head of zeros."
    )
