"""What every searcher must keep, without training. A new kind adds one row to `SPECS`.

- what it draws lies in the space, and consists only of what is active;
- a draw is a function of seed, index and history: the same in another process, after other draws, for either direction;
- it can do with an empty history, with failures, with trials that have shown nothing, and with a space of one;
- what claims to learn finds better strategies than random search does.
"""

import functools
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graft.meta.memory.records import HeldMemory, Record
from graft.meta.recommend.advice import Question, prior_for
from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.prior import Prior
from graft.search.protocol import Observation, Searcher
from graft.search.searchers.build import build_searcher
from graft.search.searchers.meta import MetaSearch
from graft.spec.registry import members
from graft.spec.search import searchers as spec
from graft.spec.space.distributions import Choice, Distribution
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

SPECS: dict[str, spec.SearcherSpec] = {
    "random": spec.RandomSearcher(),
    "meta": spec.MetaSearcher(),
    "grid": spec.GridSearcher(points=3),
    "sobol": spec.SobolSearcher(),
    "tpe": spec.TpeSearcher(start_up=4),
    "cmaes": spec.CmaEsSearcher(start_up=4),
    "bohb": spec.BohbSearcher(start_up=4),
}
INFORMED = "meta, informed"
EVERY_KIND = (*SPECS, INFORMED)
LEARNING = ("tpe", "cmaes", "bohb", INFORMED)
LOSS = metric_named("loss")
SPACES = {
    "ranges": StrategySpace.parse(
        {
            "lr": {"loguniform": [1e-5, 1]},
            "weight_decay": {"uniform": [0, 1]},
            "freeze": {"uniform": [0, 1]},
            "batch_size": {"randint": [2, 200]},
        }
    ),
    "conditional": StrategySpace.parse(
        {
            "lr": {"loguniform": [1e-5, 1]},
            "penalty": {
                "choice": [
                    "none",
                    {"kind": "l2", "strength": {"loguniform": [1e-4, 1e-1]}},
                    {"kind": "l2_sp", "strength": {"loguniform": [1e-4, 1e-1]}, "head_strength": {"uniform": [0, 1]}},
                ]
            },
            "head": {"choice": ["linear", {"kind": "mlp", "width": {"randint": [8, 64]}, "depth": {"choice": [1, 2]}}]},
            "freeze": {"choice": [1.0, 0.5, {"uniform": [0.0, 0.3]}]},
        }
    ),
    "choices": StrategySpace.parse(
        {
            "backbone": {"choice": ["a", "b", "c"]},
            "freeze": {"choice": [0.0, 0.25, 0.5, 1.0]},
            "penalty": {"choice": ["none", "l1", {"kind": "l2", "strength": {"choice": [0.1, 0.2, 0.3]}}]},
        }
    ),
}
KINDS = pytest.mark.parametrize("kind", EVERY_KIND)
EVERY_SPACE = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


def build(kind: str, space: StrategySpace, seed: int = 0, metric: str = "loss") -> Searcher:
    if kind != INFORMED:
        return build_searcher(SPECS[kind], space, metric_named(metric), seed)
    searcher = build_searcher(SPECS["meta"], space, metric_named(metric), seed)
    assert isinstance(searcher, MetaSearch)
    return searcher.informed(prior(space))


@functools.cache
def prior(space: StrategySpace) -> Prior:
    """Of a memory of three tasks that are nearly this one."""
    records = []
    for task in range(3):
        drawn = [build("random", space, seed=50 + task).draw(index, ()) for index in range(20)]
        for one in dict.fromkeys(filter(None, drawn)):
            told = candidate_of(one.canonical())
            records.append(
                Record(
                    f"t{task}",
                    "image",
                    "classification",
                    one.backbone,
                    "loss",
                    "min",
                    loss_of(one) + 0.05 * task,
                    told.strategy_json,
                    seconds=1.0 + one.freeze,
                    trial=told.strategy_json,
                )
            )
    return prior_for(HeldMemory(records), Question(space, Strategy.canonical, "image", "classification"))


def loss_of(strategy: Strategy) -> float:
    """Smooth, and least, 0, at lr 0.01, weight decay 0.3, freeze 0.6, a batch of 50 and the penalty `none`."""
    return (
        (math.log10(strategy.lr) + 2) ** 2 / 4
        + (strategy.weight_decay - 0.3) ** 2 * 4
        + (strategy.freeze - 0.6) ** 2 * 4
        + ((strategy.batch_size - 50) / 60) ** 2
        + (strategy.penalty.kind != "none")
    )


def observed(strategy: Strategy, place: int, sign: int = 1) -> Observation:
    """Most trials are stopped early, some fail, some have only begun."""
    if place % 7 == 3:
        return Observation(strategy, {1: sign * 0.1}, failed=True)
    if place % 7 == 5:
        return Observation(strategy, {})
    epochs = 4 if place % 3 == 0 else 1
    return Observation(strategy, {epoch: sign * (loss_of(strategy) + 1 / epoch) for epoch in range(1, epochs + 1)})


def history(space: StrategySpace, count: int, sign: int = 1) -> tuple[Observation, ...]:
    drawn = [build("random", space, seed=99).draw(index, ()) for index in range(count)]
    return tuple(observed(strategy, place, sign) for place, strategy in enumerate(drawn) if strategy is not None)


def draws(kind: str, space: StrategySpace, count: int, seed: int = 0) -> list[Strategy]:
    """A search that learns from what it has drawn."""
    searcher, seen, found = build(kind, space, seed), (), []
    for index in range(count):
        strategy = searcher.draw(index, seen)
        if strategy is None:
            break
        found.append(strategy)
        seen = (*seen, observed(strategy, index))
    return found


def test_every_kind_of_the_job_file_is_here() -> None:
    assert set(members("searcher")) == set(SPECS)


@KINDS
@EVERY_SPACE
def test_draws_lie_in_the_space_and_hold_only_what_is_active(kind: str, space: StrategySpace) -> None:
    for strategy in draws(kind, space, 24):
        at = space.coordinates(strategy)
        used = []

        def pick(key: str, distribution: Distribution) -> Any:
            used.append(key)  # noqa: B023 - called before the next turn
            return distribution.options[int(at[key])] if isinstance(distribution, Choice) else at[key]  # noqa: B023

        assert space.build(pick) == strategy
        assert used == list(at)


@KINDS
@EVERY_SPACE
def test_a_draw_depends_on_seed_index_and_history_alone(kind: str, space: StrategySpace) -> None:
    known = history(space, 20)
    searcher, other = build(kind, space, seed=1), build(kind, space, seed=2)
    forwards = [searcher.draw(index, known) for index in range(8)]
    backwards = [build(kind, space, seed=1).draw(index, known) for index in reversed(range(8))]

    assert forwards == backwards[::-1]
    assert known == history(space, 20)
    assert forwards != [other.draw(index, known) for index in range(8)]
    # What is informed draws the best it knows of, again and again, until it is told that it is under way.
    assert len(set(forwards)) >= (3 if kind == INFORMED else 4)


@KINDS
def test_an_empty_history_is_enough(kind: str) -> None:
    space = SPACES["conditional"]
    found: list[Strategy | None] = []
    for index in range(10):
        known = tuple(Observation(one, {}) for one in found if one is not None)
        found.append(build(kind, space).draw(index, known if kind == INFORMED else ()))
    assert None not in found
    assert len(set(found)) == 10


@KINDS
def test_failures_and_trials_without_a_value_are_no_end(kind: str) -> None:
    space = SPACES["conditional"]
    strategies = [one.strategy for one in history(space, 20)]
    for known in (
        tuple(Observation(one, {}, failed=True) for one in strategies),
        tuple(Observation(one, {1: math.nan, 2: math.inf}) for one in strategies),
        tuple(Observation(one, {}) for one in strategies),
    ):
        assert build(kind, space).draw(20, known) is not None


@KINDS
def test_a_failed_trial_is_no_good_one(kind: str) -> None:
    space = SPACES["ranges"]
    known = history(space, 30)
    told = tuple(Observation(one.strategy, {9: -1e6}, failed=True) if one.failed else one for one in known)
    assert build(kind, space).draw(30, told) == build(kind, space).draw(30, known)


@KINDS
@EVERY_SPACE
def test_a_metric_that_grows_is_one_that_shrinks_upside_down(kind: str, space: StrategySpace) -> None:
    shrinking, growing = build(kind, space), build(kind, space, metric="accuracy")
    for index in range(30, 36):
        assert shrinking.draw(index, history(space, 30)) == growing.draw(index, history(space, 30, sign=-1))


@KINDS
def test_a_space_of_one_is_drawn(kind: str) -> None:
    strategy = Strategy(freeze=0.5, penalty="l2_sp", lr=0.02)
    space = StrategySpace.parse(strategy)
    known = (Observation(strategy, {1: 0.5}),) * 12
    assert build(kind, space).draw(0, ()) == strategy
    assert build(kind, space).draw(12, known) == (None if kind == "grid" else strategy)


@KINDS
def test_canonical_forms_that_lie_outside_are_understood(kind: str) -> None:
    raw = {"freeze": {"choice": [0.3, 1.0]}, "lr": {"loguniform": [1e-3, 1e-1]}, "head_lr_factor": 10.0}
    space = StrategySpace.parse({**raw, "penalty": {"choice": ["l1", "l2_sp"]}})
    known = tuple(Observation(one.strategy.canonical(4), one.values) for one in history(space, 20))
    assert {one.strategy.freeze for one in known} == {0.25, 1.0}
    assert {one.strategy.head_lr_factor for one in known} == {1.0, 10.0}
    assert build(kind, space).draw(7, known) is not None


def test_a_grid_ends_behind_its_last_point_and_nothing_else_does() -> None:
    space = SPACES["choices"]
    size = space.grid_size()
    assert size == 60
    assert len(set(draws("grid", space, size + 5))) == len(draws("grid", space, size + 5)) == size
    for kind in EVERY_KIND:
        assert (build(kind, space).draw(size, ()) is None) == (kind == "grid")


@pytest.mark.parametrize("kind", LEARNING)
@pytest.mark.parametrize("running", [0, 3])
def test_what_learns_beats_random_search(kind: str, running: int) -> None:
    seeds, trials = range(6), 36

    def best(which: str, seed: int) -> float:
        searcher, drawn = build(which, SPACES["ranges"], seed), []
        for index in range(trials):
            ended = len(drawn) - running
            seen = (Observation(one, {1: loss_of(one)} if at < ended else {}) for at, one in enumerate(drawn))
            strategy = searcher.draw(index, tuple(seen))
            assert strategy is not None
            drawn.append(strategy)
        return min(loss_of(one) for one in drawn)

    learned, drawn_at_random = (sum(best(which, seed) for seed in seeds) for which in (kind, "random"))
    assert learned < 0.75 * drawn_at_random


SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import test_searchers as suite
space = suite.SPACES["conditional"]
print(json.dumps({kind: [one.key() for one in suite.draws(kind, space, 16)] for kind in suite.EVERY_KIND}))
"""


def test_another_process_draws_the_same(repository: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(repository / "platform")}
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    mine = {kind: [one.key() for one in draws(kind, SPACES["conditional"], 16)] for kind in EVERY_KIND}
    assert json.loads(done.stdout) == mine
