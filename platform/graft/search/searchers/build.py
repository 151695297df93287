"""From a job's word to the searcher. Each is imported only when a job names it: Optuna and SciPy are slow to import."""

from typing import Protocol

from graft.core.registry import Registry
from graft.search.protocol import Searcher
from graft.spec.metrics import MetricSpec
from graft.spec.space.space import StrategySpace

SEARCHERS = Registry(
    "searcher",
    {
        "bohb": "graft.search.searchers.bohb:BohbSearch",
        "cmaes": "graft.search.searchers.cma_es:CmaEsSearch",
        "grid": "graft.search.searchers.grid:GridSearch",
        "random": "graft.search.searchers.random:RandomSearch",
        "sobol": "graft.search.searchers.sobol:SobolSearch",
        "tpe": "graft.search.searchers.optuna_sampler:TpeSearch",
    },
)


class SearcherSpec(Protocol):
    """What a job says about a searcher; its class takes it as it is."""

    @property
    def kind(self) -> str:
        """Its name in `SEARCHERS`."""


def build_searcher(spec: SearcherSpec, space: StrategySpace, metric: MetricSpec, seed: int) -> Searcher:
    """The searcher a phase asks for.

    Args:
        spec: one of `graft.spec.search.searchers`.
        space: what may be drawn.
        metric: what the values of observations are of; its direction says which are better.
        seed: equal seeds draw equal strategies from equal histories.

    Raises:
        SpecError: the searcher cannot be used on this space.
    """
    searcher: Searcher = SEARCHERS.get(spec.kind)(spec, space, metric, seed)
    return searcher
