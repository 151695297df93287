"""Schedulers are built alike in all these tests, and fed with reports written in one line."""

from collections.abc import Callable

import pytest

from graft.search.protocol import Checkpoint, Proposal, Report
from graft.search.schedulers.context import SchedulerContext
from graft.spec.search.phases import Phase
from graft.spec.search.searchers import RandomSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named


@pytest.fixture(scope="session")
def context() -> Callable[..., SchedulerContext]:
    """``context(spec, epochs=…, trials=…, metric=…)``."""

    def build(spec: object, epochs: int = 9, trials: int | None = None, metric: str = "accuracy") -> SchedulerContext:
        phase = Phase(
            index=0,
            scheduler=spec,
            searcher=RandomSearcher(),
            trials=trials,
            epochs=epochs,
            from_top=False,
            is_population_based=False,
            feeds_next=False,
        )
        return SchedulerContext(phase, metric_named(metric), seed=0, space=StrategySpace.parse({}))

    return build


@pytest.fixture(scope="session")
def proposal() -> Callable[..., Proposal]:
    """``proposal("t01", start=4)``: a trial that has four epochs behind it."""

    def build(trial: str, start: int = 0) -> Proposal:
        checkpoint = Checkpoint("before", 0, start) if start else None
        return Proposal(trial, Strategy(), start=checkpoint)

    return build


@pytest.fixture(scope="session")
def tell() -> Callable[..., dict[str, object]]:
    """``tell(scheduler, 1, a=0.5, b=0.7)``: reports of one epoch, in this order; returns the verdicts by trial."""

    def report(scheduler: object, epoch: int, **values: float) -> dict[str, object]:
        return {trial: scheduler.report(Report(trial, epoch, value)) for trial, value in values.items()}

    return report
