import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from torchmetrics.functional.classification import multilabel_average_precision, multilabel_f1_score

from graft.tasks.multilabel import intervals
from graft.tasks.multilabel.intervals import interval
from graft.tasks.multilabel.metrics import METRIC_NAMES, losses, score


def predictions(seed, num=60, num_labels=4):
    rng = np.random.default_rng(seed)
    labels = (rng.random((num, num_labels)) < 0.3).astype(np.uint8)
    return np.clip(rng.random((num, num_labels)) * 0.7 + 0.25 * labels, 0, 1), labels


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), num=st.integers(20, 60))
def test_metrics_are_those_of_scikit_learn(seed, num):
    probs, labels = predictions(seed, num)
    found, decided = score(probs, labels, METRIC_NAMES, {}), probs >= 0.5
    occurring = labels.any(axis=0)
    wanted = sklearn_metrics.average_precision_score(labels[:, occurring], probs[:, occurring])
    assert found["map"] == pytest.approx(wanted)
    counted = occurring | decided.any(axis=0)
    f1 = sklearn_metrics.f1_score(labels, decided, average=None, zero_division=0)
    assert found["macro_f1"] == pytest.approx(f1[counted].mean())
    assert found["micro_f1"] == pytest.approx(sklearn_metrics.f1_score(labels, decided, average="micro"))
    assert found["subset_accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, decided))
    bce = torch.nn.functional.binary_cross_entropy(torch.from_numpy(probs), torch.from_numpy(labels).double())
    assert found["loss"] == pytest.approx(bce.item())


def test_metrics_are_those_of_torchmetrics():
    probs, labels = predictions(1, 200)
    given_probs, truth = torch.from_numpy(probs), torch.from_numpy(labels.astype(np.int64))
    found = score(probs, labels, METRIC_NAMES, {})
    assert found["map"] == pytest.approx(multilabel_average_precision(given_probs, truth, 4).item(), abs=1e-5)
    assert found["macro_f1"] == pytest.approx(multilabel_f1_score(given_probs, truth, 4).item(), abs=1e-5)


def test_labels_without_positives_do_not_count_in_map():
    probs, labels = predictions(0)
    labels[:, 2] = 0
    kept = [0, 1, 3]
    assert score(probs, labels, ["map"], {}) == score(probs[:, kept], labels[:, kept], ["map"], {})
    assert score(probs, np.zeros_like(labels), ["map"], {}) == {"map": 0.0}


def test_thresholds_move_decisions_but_not_the_ranking():
    probs, labels = np.array([[0.4, 0.6], [0.2, 0.9]]), np.array([[1, 0], [0, 1]])
    plain, moved = (
        score(probs, labels, METRIC_NAMES, {}),
        score(probs, labels, METRIC_NAMES, {"thresholds": [0.4, 0.7]}),
    )
    assert (plain["subset_accuracy"], moved["subset_accuracy"]) == (0.5, 1)
    assert (plain["map"], plain["loss"]) == (moved["map"], moved["loss"])


def test_a_surely_wrong_label_costs_much_but_not_everything():
    assert losses(np.array([[0.0, 1.0]]), np.array([[1, 1]]))[0] == pytest.approx(34.54 / 2, abs=0.01)


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_the_score_lies_inside_its_interval_and_more_samples_are_surer(name):
    widths = []
    for num in (100, 2000):
        probs, labels = predictions(3, num)
        found = interval(name, probs, labels, {})
        assert found.low < score(probs, labels, [name], {})[name] < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


@pytest.mark.parametrize("name", ["map", "macro_f1"])
def test_weights_stand_for_resampled_rows(monkeypatch, name):
    monkeypatch.setattr(intervals, "_RANK_RESAMPLES", 2000)  # 200 would be too rough to compare
    probs, labels = predictions(5)
    fast = interval(name, probs, labels, {}, resamples=2000)
    rng = np.random.default_rng(9)
    rows = (rng.integers(60, size=60) for _ in range(600))
    slow = [score(probs[row], labels[row], [name], {})[name] for row in rows]
    assert (fast.low, fast.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.04)


def test_what_is_not_finite_has_no_interval():
    probs, labels = predictions(5)
    probs[0] = np.nan
    with pytest.raises(ValueError, match="must be finite to have an interval"):
        interval("map", probs, labels, {})
