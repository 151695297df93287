"""`adapter` of a meta-training: how a start is adapted to the few samples of a task."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component

Steps = Annotated[int, Field(ge=1, le=100)]
Rate = Annotated[float, Field(gt=0, le=10)]
HeadFrom = Annotated[
    Literal["prototypes", "shared"],
    Field(description="Where the head of a task starts: its prototypes, or one learned row for all classes."),
]


class AdapterSpec(Component):
    """An adapter; built from (spec, the start that it adapts).

    Attributes:
        learns: whether a start can be learned through it; else it judges those that others have learned.
        is_solved: whether it is solved in closed form on the start's vectors.
    """

    learns: ClassVar[bool] = True
    is_solved: ClassVar[bool] = False


class PrototypeAdapter(AdapterSpec):
    """The nearest class mean (Snell and others, NeurIPS 2017)."""

    kind: Literal["prototypes"] = "prototypes"
    built_by: ClassVar[str] = "graft.episodes.adapters.build:prototypes"
    is_solved: ClassVar[bool] = True
    metric: Literal["cosine", "euclidean"] = Field("cosine", description="How near a class is.")


class RidgeAdapter(AdapterSpec):
    """Ridge regression on the support, with exact leave-one-out (Bertinetto and others, ICLR 2019)."""

    kind: Literal["ridge"] = "ridge"
    built_by: ClassVar[str] = "graft.episodes.adapters.build:ridge"
    is_solved: ClassVar[bool] = True
    penalty: Annotated[float, Field(gt=0, le=1e6)] = Field(1.0, description="At first; it is learned.")


class LogisticAdapter(AdapterSpec):
    """Logistic regression on the support; it judges, and nothing is learned through it."""

    kind: Literal["logistic"] = "logistic"
    built_by: ClassVar[str] = "graft.episodes.adapters.build:logistic"
    learns: ClassVar[bool] = False
    is_solved: ClassVar[bool] = True
    strength: Annotated[float, Field(gt=0, le=1e6)] = Field(10.0, description="C: one over the penalty.")


class PropagationAdapter(AdapterSpec):
    """Labels that spread to unlabelled samples (Zhou and others, NeurIPS 2004); transductive where it is given some."""

    kind: Literal["label_propagation"] = "label_propagation"
    built_by: ClassVar[str] = "graft.episodes.adapters.build:label_propagation"
    learns: ClassVar[bool] = False
    is_solved: ClassVar[bool] = True
    alpha: Annotated[float, Field(gt=0, lt=1)] = Field(0.8, description="Share of a label that neighbours give.")
    neighbours: Annotated[int, Field(ge=1, le=1000)] = Field(10, description="Of each sample.")


class AnilAdapter(AdapterSpec):
    """Gradient steps of the head alone (Raghu and others, ICLR 2020)."""

    kind: Literal["anil"] = "anil"
    built_by: ClassVar[str] = "graft.episodes.adapters.build:anil"
    steps: Steps = Field(5, description="Of the inner loop.")
    rate: Rate = Field(0.1, description="Of an inner step at first; it is learned.")
    head: HeadFrom = "prototypes"


class MamlAdapter(AdapterSpec):
    """Gradient steps of all weights (Finn and others, ICML 2017)."""

    kind: Literal["maml"] = "maml"
    built_by: ClassVar[str] = "graft.episodes.adapters.build:maml"
    steps: Steps = Field(1, description="Of the inner loop.")
    rate: Rate = Field(0.1, description="Of an inner step at first; it is learned.")
    order: Literal["first", "second"] = Field("second", description="first: no gradient through inner gradients.")
    rates: Literal["shared", "own"] = Field("shared", description="own: a learned rate for each weight (Meta-SGD).")
    head: HeadFrom = "prototypes"


class ReptileAdapter(AdapterSpec):
    """All weights, drawn towards those that tasks end at (Nichol and others, 2018)."""

    kind: Literal["reptile"] = "reptile"
    built_by: ClassVar[str] = "graft.episodes.adapters.build:reptile"
    steps: Annotated[int, Field(ge=2, le=100)] = Field(5, description="Of the inner loop.")
    rate: Rate = Field(0.1, description="Of an inner step.")
    head: HeadFrom = "shared"


class LpFtAdapter(AdapterSpec):
    """Gradient steps of the head first, then of all weights (Kumar and others, ICLR 2022)."""

    kind: Literal["lp_ft"] = "lp_ft"
    built_by: ClassVar[str] = "graft.episodes.adapters.build:lp_ft"
    probe_steps: Steps = Field(5, description="Of the head alone.")
    probe_rate: Rate = Field(0.1, description="Of such a step at first; it is learned.")
    steps: Steps = Field(2, description="Of all weights.")
    rate: Rate = Field(0.01, description="Of such a step at first; it is learned.")
    head: HeadFrom = "prototypes"


class BitFitAdapter(AdapterSpec):
    """Gradient steps of biases, gains and shifts, and of the head (Ben Zaken and others, ACL 2022)."""

    kind: Literal["bit_fit"] = "bit_fit"
    built_by: ClassVar[str] = "graft.episodes.adapters.build:bit_fit"
    steps: Steps = Field(5, description="Of the inner loop.")
    rate: Rate = Field(0.1, description="Of an inner step at first; it is learned.")
    head: HeadFrom = "prototypes"


class LoraAdapter(AdapterSpec):
    """Gradient steps of updates of low rank, and of the head (Hu and others, ICLR 2022)."""

    kind: Literal["lora"] = "lora"
    built_by: ClassVar[str] = "graft.episodes.adapters.build:lora"
    rank: Annotated[int, Field(ge=1, le=256)] = Field(4, description="Of an update of a matrix.")
    steps: Steps = Field(5, description="Of the inner loop.")
    rate: Rate = Field(0.1, description="Of an inner step at first; it is learned.")
    head: HeadFrom = "prototypes"
