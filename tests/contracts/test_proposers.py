"""What every proposer must keep, whichever package it comes from.

- the same seed gives the same samples;
- nothing that has a label is proposed, and nothing twice;
- it gives as many as are asked for, or all that are free;
- it works before there is a model, with one class, and with samples that are all alike.
"""

from typing import Any

import numpy as np
import pytest

from graft.exploration.proposers.protocol import View
from graft.spec.registry import build, members

every = pytest.mark.parametrize(
    "spec", [pytest.param(one.model_validate({}), id=kind) for kind, one in members("proposer").items()]
)


def view(count: int = 60, labelled: int = 12, classes: int = 3, has_model: bool = True, alike: bool = False) -> View:
    rng = np.random.default_rng(count)
    vectors = np.ones((count, 6)) if alike else rng.normal(size=(count, 6))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    known = rng.permutation(count)[:labelled]
    free = np.setdiff1d(np.arange(count), known)
    scores = rng.normal(size=(len(free), classes))
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return View(vectors, known, free, chances if has_model else None, classes)


def proposed(spec: Any, seen: View, count: int, seed: int = 0) -> list[int]:
    return [int(one) for one in build(spec).propose(seen, count, np.random.default_rng(seed))]


@every
@pytest.mark.parametrize("labelled", [0, 12, 40])
def test_the_same_seed_proposes_the_same_free_samples(spec: Any, labelled: int) -> None:
    seen = view(labelled=labelled, has_model=labelled > 0)
    found = proposed(spec, seen, 10)
    assert found == proposed(spec, seen, 10)
    assert len(set(found)) == 10
    assert set(found) <= set(seen.free.tolist())


@every
@pytest.mark.parametrize("free", [0, 1, 4])
def test_fewer_are_free_than_asked_for(spec: Any, free: int) -> None:
    seen = view(count=20, labelled=20 - free)
    assert sorted(proposed(spec, seen, 10)) == seen.free.tolist()


@every
@pytest.mark.parametrize("classes", [1, 2])
def test_samples_that_are_all_alike(spec: Any, classes: int) -> None:
    seen = view(classes=classes, alike=True)
    assert len(set(proposed(spec, seen, 10))) == 10


@every
def test_a_pool_smaller_than_the_batch(spec: Any) -> None:
    assert sorted(proposed(spec, view(count=4, labelled=0, has_model=False), 10)) == [0, 1, 2, 3]


def test_typical_samples_cover_all_clusters_before_any_is_asked_for_twice() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(5)[np.repeat(np.arange(5), 20)] + rng.normal(size=(100, 5)) * 0.05
    vectors = (centres / np.linalg.norm(centres, axis=1, keepdims=True)).astype(np.float32)
    seen = View(vectors, np.array([], np.int64), np.arange(100), None, 0)
    for kind in ("typiclust", "typiclust_then_margin", "herding"):
        assert {one // 20 for one in proposed(members("proposer")[kind].model_validate({}), seen, 5)} == set(range(5))


def test_margin_asks_what_is_nearly_a_tie_and_entropy_what_is_not_known_at_all() -> None:
    chances = np.array([[0.5, 0.49, 0.01], [0.34, 0.33, 0.33], [0.9, 0.05, 0.05], [0.45, 0.45, 0.1]])
    seen = View(np.eye(5, dtype=np.float32), np.array([4]), np.arange(4), chances, 3)
    orders = {kind: proposed(members("proposer")[kind].model_validate({}), seen, 4) for kind in ("margin", "entropy")}
    assert orders == {"margin": [3, 0, 1, 2], "entropy": [1, 3, 0, 2]}


def test_herding_asks_what_stands_for_much_that_is_in_doubt() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0] * 5 + [1] + [2] * 5 + [3]]
    best = np.array([0.55] * 5 + [0.5] + [1.0] * 5)
    seen = View(vectors, np.array([11]), np.arange(11), np.stack([best, 1 - best], axis=1), 2)
    orders = {kind: proposed(members("proposer")[kind].model_validate({}), seen, 2) for kind in ("margin", "herding")}
    assert orders == {"margin": [5, 0], "herding": [0, 5]}
