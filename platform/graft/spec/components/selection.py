"""`strategy.select`: which of the backbone's features a linear probe is given."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component


class SelectionSpec(Component):
    """A selection; built from (spec, features [n, F], targets of the same rows): bool [F], which features are kept.

    Targets are as a task has read them: int64 [n] codes, float64 [n, T] numbers, or uint8 [n, L] indicators.
    """

    def simplest(self) -> "SelectionSpec":
        """The selection that means the same with the fewest parameters."""
        return self


class NoSelection(SelectionSpec):
    """All features."""

    kind: Literal["none"] = "none"
    built_by: ClassVar[str] = "graft.transfer.selection:everything"


class VarianceSelection(SelectionSpec):
    """Features that differ among the training samples."""

    kind: Literal["variance"] = "variance"
    built_by: ClassVar[str] = "graft.transfer.selection:by_variance"
    threshold: float = Field(
        0.0, ge=0, description="Features of this variance or less over the training samples are left out."
    )


class MutualInformation(SelectionSpec):
    """Features that tell most about the targets, each by itself (Kraskov and others, Physical Review E 2004)."""

    kind: Literal["mutual_information"] = "mutual_information"
    built_by: ClassVar[str] = "graft.transfer.selection:by_mutual_information"
    keep: Annotated[float, Field(gt=0, le=1)] = Field(0.5, description="Share of the features that is kept.")

    def simplest(self) -> SelectionSpec:
        """To keep all is no selection."""
        return NoSelection() if self.keep == 1 else self


class L1Selection(SelectionSpec):
    """Features that a linear model with an L1 penalty gives a weight (Tibshirani, JRSS B 1996)."""

    kind: Literal["l1"] = "l1"
    built_by: ClassVar[str] = "graft.transfer.selection:by_l1"
    strength: float = Field(
        1e-3, gt=0, description="Weight of Σ|w| beside the mean loss on standardised features; more keeps fewer."
    )
