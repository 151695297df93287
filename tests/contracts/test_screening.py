"""What every screening score must keep. A new one joins by its line in `SCORES`.

- the order of rows, the basis of the features and the names of classes do not matter;
- equal features give equal scores, to the last bit;
- features that hold the targets score higher than the same features without them.
"""

from collections.abc import Callable

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.search.screening.decomposed import Decomposed
from graft.search.screening.scores import SCORES, score_features
from graft.search.screening.targets import Targets

EVERY_SCORE = pytest.mark.parametrize("name", SCORES)
SHAPES = pytest.mark.parametrize(("rows", "width"), [(60, 20), (40, 90)])
TOLERANCE = 1e-6


def drawn(rows: int, width: int, signal: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features in which four classes lie apart."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % 4)
    centres = rng.standard_normal((4, width))
    return 0.3 + rng.standard_normal((rows, width)) + signal * centres[labels], labels


def targets_for(name: str, labels: np.ndarray) -> list[Targets]:
    made: dict[str, Callable[[], Targets]] = {
        "classes": lambda: Targets.of_categories(labels),
        "values": lambda: Targets.of_values(np.stack([labels, np.cos(labels)], axis=1)),
    }
    return [made[asked]() for asked in SCORES[name].asked]


def value(name: str, features: np.ndarray, targets: Targets) -> float:
    return SCORES[name].compute(Decomposed(features), targets)


@EVERY_SCORE
@SHAPES
def test_rows_may_come_in_any_order(name: str, rows: int, width: int) -> None:
    features, labels = drawn(rows, width)
    order = np.random.default_rng(1).permutation(rows)
    for one, other in zip(targets_for(name, labels), targets_for(name, labels[order]), strict=True):
        assert value(name, features[order], other) == pytest.approx(value(name, features, one), abs=TOLERANCE)


@EVERY_SCORE
@SHAPES
def test_the_basis_of_the_features_does_not_matter(name: str, rows: int, width: int) -> None:
    features, labels = drawn(rows, width)
    rotation = np.linalg.qr(np.random.default_rng(2).standard_normal((width, width)))[0]
    for targets in targets_for(name, labels):
        turned = value(name, features @ rotation, targets)
        assert turned == pytest.approx(value(name, features, targets), abs=TOLERANCE)


@EVERY_SCORE
def test_the_names_of_the_classes_do_not_matter(name: str) -> None:
    features, labels = drawn(60, 20)
    renamed = np.array([7, 3, 90, 1])[labels]
    one, other = Targets.of_categories(labels), Targets.of_categories(renamed)
    assert value(name, features, other) == pytest.approx(value(name, features, one), abs=TOLERANCE)


@EVERY_SCORE
def test_equal_features_give_equal_scores(name: str) -> None:
    features, labels = drawn(60, 20)
    for targets in targets_for(name, labels):
        assert value(name, features.copy(), targets) == value(name, features, targets)


@EVERY_SCORE
def test_features_that_hold_the_targets_score_higher(name: str) -> None:
    """With more rows than features: the H-score of noise grows with the width, however it is shrunk."""
    for seed in range(3):
        (with_signal, labels), (without, _) = drawn(60, 20, seed=seed), drawn(60, 20, 0.0, seed)
        for targets in targets_for(name, labels):
            assert value(name, with_signal, targets) > value(name, without, targets)


@EVERY_SCORE
def test_constant_and_copied_features_are_no_end(name: str) -> None:
    features, labels = drawn(30, 8)
    for odd in (np.ones_like(features), np.repeat(features[:, :1], 8, axis=1), np.zeros((30, 1))):
        for targets in targets_for(name, labels):
            assert np.isfinite(value(name, odd, targets))


@EVERY_SCORE
def test_a_class_of_one_row_is_no_end(name: str) -> None:
    features, _ = drawn(10, 4)
    assert np.isfinite(value(name, features, Targets.of_categories(np.array([0] * 5 + [1] * 4 + [9]))))


@pytest.mark.parametrize(
    ("features", "targets", "told"),
    [
        (np.ones((3, 2)), Targets.of_categories(np.zeros(3, int)), "alike"),
        (np.full((3, 2), np.nan), Targets.of_categories(np.arange(3)), "not finite"),
        (np.ones((1, 2)), Targets.of_categories(np.zeros(1, int)), "at least 2"),
        (np.ones((4, 2)), Targets.of_categories(np.arange(3)), "3 rows"),
        (np.ones((3, 0)), Targets.of_categories(np.arange(3)), "features"),
    ],
)
def test_what_cannot_be_scored_is_said(features: np.ndarray, targets: Targets, told: str) -> None:
    with pytest.raises(DataError, match=told):
        score_features(features, targets)


def test_a_task_gets_the_scores_that_fit_it() -> None:
    features, labels = drawn(30, 8)
    assert set(score_features(features, Targets.of_categories(labels))) == set(SCORES)
    assert set(score_features(features, Targets.of_values(labels))) == {"logme", "ridge"}
