"""`--proposer` of an exploration: which samples of a pool are to be labelled next."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component

Neighbours = Annotated[int, Field(ge=1, le=1000)]


class ProposerSpec(Component):
    """A proposer; built from (spec)."""


class HerdingProposer(ProposerSpec):
    """Samples near to many that the model is in doubt about, and to none with a label (Bae and others, ICLR 2025)."""

    kind: Literal["herding"] = "herding"
    built_by: ClassVar[str] = "graft.exploration.proposers.herding:Herding"
    width: Annotated[float, Field(gt=0, le=10)] = Field(
        0.7, description="How far a sample stands for others, of vectors of length 1; two at random are 1.4 apart."
    )


class TypicalThenMargin(ProposerSpec):
    """Typical samples until each class has some labels, then those that the model is in doubt about."""

    kind: Literal["typiclust_then_margin"] = "typiclust_then_margin"
    built_by: ClassVar[str] = "graft.exploration.proposers.switched:TypicalFirst"
    labels_a_class: Annotated[int, Field(ge=1, le=1000)] = Field(6, description="With so many, doubt takes over.")
    neighbours: Neighbours = Field(20, description="What is near to so many others is typical.")


class TypicalProposer(ProposerSpec):
    """The most typical sample of each cluster without a label (Hacohen and others, ICML 2022)."""

    kind: Literal["typiclust"] = "typiclust"
    built_by: ClassVar[str] = "graft.exploration.proposers.typical:Typical"
    neighbours: Neighbours = Field(20, description="What is near to so many others is typical.")


class RandomProposer(ProposerSpec):
    """Samples drawn at random."""

    kind: Literal["random"] = "random"
    built_by: ClassVar[str] = "graft.exploration.proposers.drawn:Drawn"


class MarginProposer(ProposerSpec):
    """Samples whose two likeliest classes are nearly as likely (Scheffer and others, 2001)."""

    kind: Literal["margin"] = "margin"
    built_by: ClassVar[str] = "graft.exploration.proposers.doubtful:Margin"


class EntropyProposer(ProposerSpec):
    """Samples whose classes are as likely as one another."""

    kind: Literal["entropy"] = "entropy"
    built_by: ClassVar[str] = "graft.exploration.proposers.doubtful:Entropy"


class BadgeProposer(ProposerSpec):
    """Samples in doubt that differ from one another (Ash and others, ICLR 2020)."""

    kind: Literal["badge"] = "badge"
    built_by: ClassVar[str] = "graft.exploration.proposers.badge:Badge"


class CoreSetProposer(ProposerSpec):
    """Samples far from all that have a label (Sener and Savarese, ICLR 2018)."""

    kind: Literal["core_set"] = "core_set"
    built_by: ClassVar[str] = "graft.exploration.proposers.core_set:CoreSet"
