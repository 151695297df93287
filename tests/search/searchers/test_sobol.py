import pytest
from scipy.stats import qmc

from graft.core.errors import SpecError
from graft.search.searchers.sobol import SobolSearch
from graft.spec.components.penalty import L2SP
from graft.spec.search.searchers import SobolSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.lookup import metric_named


def sobol(space: StrategySpace, seed: int = 0) -> SobolSearch:
    return SobolSearch(SobolSearcher(), space, metric_named("accuracy"), seed)


@pytest.mark.parametrize("seed", range(3))
def test_sixteen_points_have_one_in_each_sixteenth_of_every_key(seed: int) -> None:
    searcher = sobol(StrategySpace.parse({"freeze": {"uniform": [0, 1]}, "weight_decay": {"uniform": [0, 1]}}), seed)
    drawn = [searcher.draw(index, ()) for index in range(16)]

    assert {int(one.freeze * 16) for one in drawn} == set(range(16))
    assert {int(one.weight_decay * 16) for one in drawn} == set(range(16))
    assert {(int(one.freeze * 4), int(one.weight_decay * 4)) for one in drawn} == {
        (a, b) for a in range(4) for b in range(4)
    }


def test_an_option_and_the_range_inside_it_have_a_dimension_each() -> None:
    raw = {
        "lr": {"choice": [0.5, {"uniform": [0.1, 0.2]}]},
        "penalty": {"choice": ["none", {"kind": "l2_sp", "strength": {"uniform": [0.1, 0.2]}}]},
    }
    searcher = sobol(StrategySpace.parse(raw))
    drawn = [searcher.draw(index, ()) for index in range(128)]
    rates = [one.lr for one in drawn if one.lr != 0.5]
    pulls = [one.penalty.strength for one in drawn if isinstance(one.penalty, L2SP)]

    # If they shared a dimension, only the upper half of the range would be met where the upper option is.
    for found in (rates, pulls):
        assert len(found) == 64
        assert 24 < sum(value < 0.15 for value in found) < 40


def test_a_space_of_too_many_dimensions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # The true limit is 21201: reading as many options from a job file takes minutes.
    monkeypatch.setattr(qmc.Sobol, "MAXDIM", 2)
    space = StrategySpace.parse(
        {"lr": {"uniform": [0.1, 0.2]}, "freeze": {"choice": [0.0, 1.0, {"uniform": [0.4, 0.5]}]}}
    )
    with pytest.raises(SpecError, match="strategy: has 3 distributions, but sobol can draw 2; use random"):
        sobol(space)
