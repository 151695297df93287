"""The schedulers a job may name: who decides which trials stop early, wait, or go on from another's weights."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field

from graft.spec.base import Component
from graft.spec.defaults.scale import RUNG_STEPS
from graft.spec.search.brackets import brackets

if TYPE_CHECKING:
    from graft.spec.search.phases import Phase

ReductionFactor = Annotated[
    int, Field(ge=2, le=100, description="One in this many goes on at each rung (η in the paper).")
]
Grace = Annotated[
    int | None,
    Field(
        ge=1,
        le=1000,
        description=f"Epochs before trials are compared (r in the paper). If left out: 1, and where training.epochs is "
        f"left out too, as many as take {RUNG_STEPS} steps.",
    ),
]
Interval = Annotated[int, Field(ge=1, le=1000, description="Epochs from one generation to the next.")]
Quantile = Annotated[
    float, Field(gt=0, le=0.5, description="Share of the population that copies, and share that is copied from.")
]
Mutate = Annotated[
    Annotated[list[str], Field(min_length=1)] | None,
    Field(description="Keys of `strategy` that may change; every key with a distribution that can, if left out."),
]


# Half of the trials stop somewhere on their way: an assumption, as nothing is known of the curves yet.
MEDIAN_SHARE = 0.75


class SchedulerSpec(Component):
    """Decides which trials stop early; built from (`SchedulerContext`), which holds the spec.

    Attributes:
        is_population_based: whether trials copy from each other.
    """

    is_population_based: ClassVar[bool] = False

    def first_comparison(self) -> tuple[str, int] | None:
        """The key and the epoch of the first decision it takes; None if it takes none at an epoch of its own."""
        return None

    def decided(self, rung: int) -> Self:
        """The scheduler with the epoch of its first comparison, where it is left out."""
        if getattr(self, "grace_epochs", rung) is not None:
            return self
        return self.model_copy(update={"grace_epochs": rung})

    @property
    def grace(self) -> int:
        """Epochs before trials are compared; as long as it is left out, the least there can be."""
        return getattr(self, "grace_epochs", None) or 1

    def expected_epochs(self, phase: "Phase", start: int) -> float:
        """Epochs that a trial of a phase trains on average, from those it begins with."""
        return float(phase.epochs - start)


class NoScheduler(SchedulerSpec):
    """Every trial runs to its end."""

    kind: Literal["none"] = "none"
    built_by: ClassVar[str] = "graft.search.schedulers.none:RunToEnd"


class Asha(SchedulerSpec):
    """Asynchronous successive halving (Li et al., MLSys 2020): the worse trials of each rung stop early."""

    kind: Literal["asha"] = "asha"
    built_by: ClassVar[str] = "graft.search.schedulers.asha:Asha"
    grace_epochs: Grace = None
    reduction_factor: ReductionFactor = 3

    def first_comparison(self) -> tuple[str, int] | None:
        """The first rung."""
        return "grace_epochs", self.grace

    def rungs(self, epochs: int) -> list[int]:
        """r, r·η, r·η², … below the last epoch."""
        rungs, rung = [], self.grace
        while rung < epochs:
            rungs.append(rung)
            rung *= self.reduction_factor
        return rungs

    def expected_epochs(self, phase: "Phase", start: int) -> float:
        """One in η goes on at each rung."""
        return epochs_of_survivors(start, phase.epochs, self.rungs(phase.epochs), 1 / self.reduction_factor)


class HyperBand(SchedulerSpec):
    """HyperBand (Li et al., JMLR 2018): brackets of successive halving, from many short trials to few long ones."""

    kind: Literal["hyperband"] = "hyperband"
    built_by: ClassVar[str] = "graft.search.schedulers.hyperband:HyperBand"
    grace_epochs: Grace = None
    reduction_factor: ReductionFactor = 3

    def expected_epochs(self, phase: "Phase", start: int) -> float:
        """The mean over all brackets."""
        found = brackets(phase.epochs, self.reduction_factor, phase.trials, self.grace)
        kept = 1 / self.reduction_factor
        total = sum(one.size * epochs_of_survivors(start, phase.epochs, one.milestones, kept) for one in found)
        return total / sum(one.size for one in found)


class Median(SchedulerSpec):
    """Median stopping (Golovin et al., KDD 2017).

    A trial stops when its best value so far is worse than the median of the other trials' running means.
    """

    kind: Literal["median"] = "median"
    built_by: ClassVar[str] = "graft.search.schedulers.median:MedianStopping"
    grace_epochs: Grace = None
    min_trials: int = Field(3, ge=1, le=1000, description="Trials that must have come as far before any is stopped.")

    def first_comparison(self) -> tuple[str, int] | None:
        """Behind the grace period."""
        return "grace_epochs", self.grace

    def expected_epochs(self, phase: "Phase", start: int) -> float:
        """Half of the trials stop somewhere on their way."""
        return (phase.epochs - start) * MEDIAN_SHARE


class OneEpochTopK(SchedulerSpec):
    """Every trial trains one epoch; the best few of all train to their end."""

    kind: Literal["one_epoch_top_k"] = "one_epoch_top_k"
    built_by: ClassVar[str] = "graft.search.schedulers.top_k:OneEpochTopK"
    keep: int = Field(3, ge=1, le=10_000, description="How many go on (k).")
    epochs: int = Field(1, ge=1, le=1000, description="Epochs after which they are compared.")

    def first_comparison(self) -> tuple[str, int] | None:
        """The only one."""
        return "epochs", self.epochs

    def expected_epochs(self, phase: "Phase", start: int) -> float:
        """Only the best few train to their end."""
        kept = min(1.0, self.keep / (phase.trials or self.keep))
        return epochs_of_survivors(start, phase.epochs, [self.epochs], kept)


class Pbt(SchedulerSpec):
    """Population-based training (Jaderberg et al., 2017).

    After each interval the worst of a population go on from the weights of one of the best, under a strategy that is
    a variation of it.
    """

    kind: Literal["pbt"] = "pbt"
    built_by: ClassVar[str] = "graft.search.schedulers.population:Population"
    is_population_based: ClassVar[bool] = True
    interval: Interval = 1
    quantile: Quantile = 0.25
    resample: float = Field(
        0.25, ge=0, le=1, description="Chance that a value is drawn anew instead of varied a little."
    )
    mutate: Mutate = None


class Pb2(SchedulerSpec):
    """Population-based bandits (Parker-Holder et al., NeurIPS 2020).

    As population-based training, but numbers are chosen by a Gaussian process over what past changes have gained.
    """

    kind: Literal["pb2"] = "pb2"
    built_by: ClassVar[str] = "graft.search.schedulers.population:Population"
    is_population_based: ClassVar[bool] = True
    interval: Interval = 1
    quantile: Quantile = 0.25
    mutate: Mutate = None


def epochs_of_survivors(start: int, end: int, rungs: Sequence[int], kept: float) -> float:
    """Mean epochs from start to end, if this share of the trials that come to a rung goes on."""
    total, reached, chance = 0.0, start, 1.0
    for rung in rungs:
        if start < rung < end:
            total += chance * (rung - reached)
            reached, chance = rung, chance * kept
    return total + chance * (end - reached)
