"""The searchers a job may name: who decides which strategies are tried."""

from typing import Annotated, Literal

from pydantic import Field

from graft.spec.base import ByName, Spec

StartUp = Annotated[
    int, Field(ge=1, le=10_000, description="Trials drawn at random before the first one is suggested.")
]


class RandomSearcher(Spec):
    """Strategies are drawn from the space at random; none is trained twice."""

    kind: Literal["random"] = "random"


class GridSearcher(Spec):
    """Every combination once; ranges are tried at evenly spaced points."""

    kind: Literal["grid"] = "grid"
    points: int = Field(3, ge=1, le=1000, description="Points on each range (loguniform: evenly spaced orders).")


class SobolSearcher(Spec):
    """Points of a scrambled Sobol sequence (Owen, 1998): as random, but evenly spread."""

    kind: Literal["sobol"] = "sobol"


class TpeSearcher(Spec):
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), as Optuna has it."""

    kind: Literal["tpe"] = "tpe"
    start_up: StartUp = 8


class CmaEsSearcher(Spec):
    """Covariance matrix adaptation (Hansen, 2016), as Optuna has it.

    It moves the ranges that every strategy has; choices, and what lies inside an option, are drawn at random.
    """

    kind: Literal["cmaes"] = "cmaes"
    start_up: StartUp = 8


class BohbSearcher(Spec):
    """Bayesian search over several fidelities (Falkner et al., ICML 2018).

    The estimator learns from the longest training that enough trials have reached; meant for `hyperband` and `asha`.
    """

    kind: Literal["bohb"] = "bohb"
    start_up: StartUp = 8


Searcher = Annotated[
    RandomSearcher | GridSearcher | SobolSearcher | TpeSearcher | CmaEsSearcher | BohbSearcher,
    Field(discriminator="kind"),
    ByName,
]
