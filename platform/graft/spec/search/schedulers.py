"""The schedulers a job may name: who decides which trials stop early, wait, or go on from another's weights."""

from typing import Annotated, Literal

from pydantic import Field

from graft.spec.base import ByName, Spec

ReductionFactor = Annotated[
    int, Field(ge=2, le=100, description="One in this many goes on at each rung (η in the paper).")
]
Interval = Annotated[int, Field(ge=1, le=1000, description="Epochs from one generation to the next.")]
Quantile = Annotated[
    float, Field(gt=0, le=0.5, description="Share of the population that copies, and share that is copied from.")
]
Mutate = Annotated[
    Annotated[list[str], Field(min_length=1)] | None,
    Field(description="Keys of `strategy` that may change; every key with a distribution that can, if left out."),
]


class NoScheduler(Spec):
    """Every trial runs to its end."""

    kind: Literal["none"] = "none"


class Asha(Spec):
    """Asynchronous successive halving (Li et al., MLSys 2020): the worse trials of each rung stop early."""

    kind: Literal["asha"] = "asha"
    grace_epochs: int = Field(1, ge=1, le=1000, description="Epochs before the first rung (r in the paper).")
    reduction_factor: ReductionFactor = 3


class HyperBand(Spec):
    """HyperBand (Li et al., JMLR 2018): brackets of successive halving, from many short trials to few long ones."""

    kind: Literal["hyperband"] = "hyperband"
    reduction_factor: ReductionFactor = 3


class Median(Spec):
    """Median stopping (Golovin et al., KDD 2017).

    A trial stops when its best value so far is worse than the median of the other trials' running means.
    """

    kind: Literal["median"] = "median"
    grace_epochs: int = Field(1, ge=1, le=1000, description="Epochs that every trial trains.")
    min_trials: int = Field(3, ge=1, le=1000, description="Trials that must have come as far before any is stopped.")


class OneEpochTopK(Spec):
    """Every trial trains one epoch; the best few of all train to their end."""

    kind: Literal["one_epoch_top_k"] = "one_epoch_top_k"
    keep: int = Field(3, ge=1, le=10_000, description="How many go on (k).")
    epochs: int = Field(1, ge=1, le=1000, description="Epochs after which they are compared.")


class Pbt(Spec):
    """Population-based training (Jaderberg et al., 2017).

    After each interval the worst of a population go on from the weights of one of the best, under a strategy that is
    a variation of it.
    """

    kind: Literal["pbt"] = "pbt"
    interval: Interval = 1
    quantile: Quantile = 0.25
    resample: float = Field(
        0.25, ge=0, le=1, description="Chance that a value is drawn anew instead of varied a little."
    )
    mutate: Mutate = None


class Pb2(Spec):
    """Population-based bandits (Parker-Holder et al., NeurIPS 2020).

    As population-based training, but numbers are chosen by a Gaussian process over what past changes have gained.
    """

    kind: Literal["pb2"] = "pb2"
    interval: Interval = 1
    quantile: Quantile = 0.25
    mutate: Mutate = None


Scheduler = Annotated[
    NoScheduler | Asha | HyperBand | Median | OneEpochTopK | Pbt | Pb2, Field(discriminator="kind"), ByName
]
POPULATION_BASED = (Pbt, Pb2)
