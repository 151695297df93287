import math

import numpy as np
import pytest

from graft.tasks.classification import intervals as module
from graft.tasks.classification.intervals import interval, wilson
from graft.tasks.classification.metrics import METRIC_NAMES, score


def predictions(num, seed=0, num_classes=4):
    rng = np.random.default_rng(seed)
    labels = rng.integers(num_classes, size=num)
    logits = rng.normal(size=(num, num_classes)) + 1.5 * np.eye(num_classes)[labels]
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_published_values(successes, total, low, high):
    found = wilson(successes, total)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_wilson_of_all_right_still_doubts():
    found = wilson(20, 20)
    assert found.high == 1
    assert found.low == pytest.approx(1 - 0.1611, abs=1e-4)


@pytest.mark.parametrize(("successes", "total"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes, total):
    with pytest.raises(ValueError, match=f"successes are {successes} of {total}"):
        wilson(successes, total)


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_the_score_lies_inside_and_more_samples_are_surer(name):
    widths = []
    for num in (100, 2000):
        probs, labels = predictions(num, num_classes=8)
        found = interval(name, probs, labels)
        assert found.low < score(probs, labels)[name] < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_methods():
    probs, labels = predictions(50)
    shares = {"accuracy", "top_3_accuracy", "top_5_accuracy"}
    found = {name for name in METRIC_NAMES if interval(name, probs, labels).method == "wilson"}
    assert found == shares


@pytest.mark.parametrize("name", ["macro_f1", "loss"])
def test_the_seed_fixes_the_interval(name):
    probs, labels = predictions(50)
    assert interval(name, probs, labels, seed=1) == interval(name, probs, labels, seed=1)
    assert interval(name, probs, labels, seed=1) != interval(name, probs, labels, seed=2)


def test_the_multinomial_bootstrap_is_that_of_resampled_samples():
    probs, labels = predictions(80)
    fast = interval("macro_f1", probs, labels, resamples=4000)
    rng = np.random.default_rng(9)
    rows = (rng.integers(80, size=80) for _ in range(1500))
    slow = [score(probs[row], labels[row], ["macro_f1"])["macro_f1"] for row in rows]
    assert (fast.low, fast.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.02)


@pytest.mark.parametrize("name", ["loss", "balanced_accuracy"])
def test_small_chunks_give_as_many_resamples(monkeypatch, name):
    probs, labels = predictions(50)
    whole = interval(name, probs, labels)
    monkeypatch.setattr(module, "_CELLS_AT_ONCE", 700)
    parts = interval(name, probs, labels)
    assert (parts.low, parts.high) == (pytest.approx(whole.low, abs=0.05), pytest.approx(whole.high, abs=0.05))


def test_wilson_covers_the_truth_as_often_as_it_says():
    total = 60
    found = [wilson(successes, total) for successes in range(total + 1)]

    def coverage(share):
        return sum(
            math.comb(total, k) * share**k * (1 - share) ** (total - k)
            for k, one in enumerate(found)
            if one.low <= share <= one.high
        )

    covered = [coverage(share) for share in np.linspace(0.05, 0.95, 181)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.005)
    assert min(covered) > 0.89


def test_what_is_not_finite_has_no_interval():
    probs, labels = predictions(5)
    probs[0] = np.nan
    with pytest.raises(ValueError, match="must be finite to have an interval"):
        interval("loss", probs, labels)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="metric is `auc`, but must be one of accuracy"):
        interval("auc", *predictions(5))
