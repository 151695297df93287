"""The searchers a job may name: who decides which strategies are tried."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component

StartUp = Annotated[
    int, Field(ge=1, le=10_000, description="Trials drawn at random before the first one is suggested.")
]


class SearcherSpec(Component):
    """Decides which strategies are tried; built from (spec, space, metric, seed)."""


class RandomSearcher(SearcherSpec):
    """Strategies are drawn from the space at random; none is trained twice."""

    kind: Literal["random"] = "random"
    built_by: ClassVar[str] = "graft.search.searchers.random:RandomSearch"


class MetaSearcher(SearcherSpec):
    """What earlier tasks want comes first, then the best expected improvement for its cost; else random.

    With an empty memory, or one of unlike tasks, the draws are those of `random`, unless several backbones are scored.
    """

    kind: Literal["meta"] = "meta"
    built_by: ClassVar[str] = "graft.search.searchers.meta:MetaSearch"
    portfolio: int = Field(
        5, ge=0, le=100, description="Strategies that come first, chosen together, until as many trials have returned."
    )
    free: float = Field(0.25, ge=0, le=1, description="Share of the draws that stays random, whatever is known.")
    screening: float = Field(
        0.01,
        ge=0,
        le=0.5,
        description="Most of the search that scoring its backbones in closed form may take; 0 scores none.",
    )


class GridSearcher(SearcherSpec):
    """Every combination once; ranges are tried at evenly spaced points."""

    kind: Literal["grid"] = "grid"
    built_by: ClassVar[str] = "graft.search.searchers.grid:GridSearch"
    points: int = Field(3, ge=1, le=1000, description="Points on each range (loguniform: evenly spaced orders).")


class SobolSearcher(SearcherSpec):
    """Points of a scrambled Sobol sequence (Owen, 1998): as random, but evenly spread."""

    kind: Literal["sobol"] = "sobol"
    built_by: ClassVar[str] = "graft.search.searchers.sobol:SobolSearch"


class TpeSearcher(SearcherSpec):
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), as Optuna has it."""

    kind: Literal["tpe"] = "tpe"
    built_by: ClassVar[str] = "graft.search.searchers.optuna_sampler:TpeSearch"
    start_up: StartUp = 8


class CmaEsSearcher(SearcherSpec):
    """Covariance matrix adaptation (Hansen, 2016), as Optuna has it.

    It moves the ranges that every strategy has; choices, and what lies inside an option, are drawn at random.
    """

    kind: Literal["cmaes"] = "cmaes"
    built_by: ClassVar[str] = "graft.search.searchers.cma_es:CmaEsSearch"
    start_up: StartUp = 8


class BohbSearcher(SearcherSpec):
    """Bayesian search over several fidelities (Falkner et al., ICML 2018).

    The estimator learns from the longest training that enough trials have reached; meant for `hyperband` and `asha`.
    """

    kind: Literal["bohb"] = "bohb"
    built_by: ClassVar[str] = "graft.search.searchers.bohb:BohbSearch"
    start_up: StartUp = 8
