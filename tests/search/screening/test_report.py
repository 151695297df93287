import itertools

import numpy as np
import pytest

from graft.search.screening.report import Candidate, mean_ranks, screen
from graft.search.screening.targets import Targets


def test_the_best_features_come_first_with_their_scores_and_seconds() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    centres = rng.standard_normal((3, 10))
    noise = rng.standard_normal((60, 10))
    features = [
        (Candidate("a", 1.0, 96), noise),
        (Candidate("b", 0.7, 96), noise + 3 * centres[labels]),
        (Candidate("c", 0.7, 64), noise + centres[labels]),
    ]
    ticks = itertools.count()
    found = screen(iter(features), Targets.of_categories(labels), clock=lambda: float(next(ticks)))

    assert [one.candidate.backbone for one in found] == ["b", "c", "a"]
    assert [one.rank for one in found] == [1, 2, 3]
    assert found[0].to_dict() == {
        "backbone": "b",
        "depth": 0.7,
        "resolution": 96,
        "rank": 1,
        "scores": dict(found[0].scores),
        "seconds": 1.0,
    }


def test_ranks_are_shared_by_equals() -> None:
    assert mean_ranks([{"x": 2.0, "y": 1.0}, {"x": 2.0, "y": 3.0}, {"x": 0.0, "y": 2.0}]) == [2.25, 1.25, 2.5]
    assert mean_ranks([]) == []


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one_candidate(count: int) -> None:
    features = [(Candidate("a"), np.random.default_rng(0).standard_normal((6, 3)))] * count
    assert len(screen(features, Targets.of_categories(np.arange(6) % 2))) == count
