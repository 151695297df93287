"""From a job's word to the searcher. Each is imported only when a job names it: Optuna and SciPy are slow to import."""

from graft.search.protocol import Searcher
from graft.spec.metrics import MetricSpec
from graft.spec.registry import build
from graft.spec.search.searchers import SearcherSpec
from graft.spec.space.space import StrategySpace


def build_searcher(spec: SearcherSpec, space: StrategySpace, metric: MetricSpec, seed: int) -> Searcher:
    """The searcher a phase asks for.

    Args:
        spec: one of `graft.spec.search.searchers`, or of another package.
        space: what may be drawn.
        metric: what the values of observations are of; its direction says which are better.
        seed: equal seeds draw equal strategies from equal histories.

    Raises:
        SpecError: the searcher cannot be used on this space, or is another package's and cannot be built.
    """
    searcher: Searcher = build(spec, space, metric, seed)
    return searcher
