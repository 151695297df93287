import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from graft.spec.tasks.multilabel import Multilabel
from graft.tasks.multilabel.task import MultilabelTask
from graft.tasks.multilabel.thresholds import fit_thresholds

TASK = MultilabelTask(Multilabel(separator=", "))
NAMES = ("red", "round", "small")
PROBS = np.array([[0.9, 0.2, 0.8], [0.1, 0.3, 0.2], [0.2, 0.1, 0.7]])
LABELS = np.array([[1, 0, 1], [0, 0, 0], [1, 0, 0]], np.uint8)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), num=st.integers(2, 40))
def test_a_threshold_has_the_best_f1(seed, num):
    rng = np.random.default_rng(seed)
    scores, labels = np.round(rng.random((num, 1)), 1), (rng.random((num, 1)) < 0.4).astype(np.uint8)
    (found,) = fit_thresholds(scores, labels)

    def f1(threshold):
        return f1_score(labels[:, 0], scores[:, 0] >= threshold, zero_division=0)

    best = max(f1(threshold) for threshold in (*np.unique(scores), 0.5))
    assert f1(found) == pytest.approx(best if labels.any() else f1(0.5))


def test_a_label_without_positives_keeps_the_usual_threshold():
    assert fit_thresholds(np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([[0, 0], [0, 1]])) == [0.5, pytest.approx(0.3)]


def test_neighbours_one_rounding_apart_are_told_apart():
    low, high = 0.3, np.nextafter(0.3, 1)
    (found,) = fit_thresholds(np.array([[low], [high]]), np.array([[0], [1]]))
    assert low < found <= high


def test_answers_are_joined_by_the_separator():
    assert TASK.answers(PROBS, NAMES, {}) == {"labels": ["red, small", "", "small"]}
    assert TASK.answers(PROBS, NAMES, {"thresholds": [0.1, 0.3, 0.75]})["labels"] == ["red, small", "red, round", "red"]
    full = TASK.answers(PROBS, NAMES, {}, probabilities=True)
    assert [*full] == ["labels", "p(red)", "p(round)", "p(small)"]
    assert full["p(round)"] == [0.2, 0.3, 0.1]


def test_facts_and_counts():
    assert TASK.facts(LABELS, NAMES) == {"num_outputs": 3, "positives": [2, 0, 1]}
    assert TASK.counts(LABELS, NAMES) == {"red": 2, "round": 0, "small": 1}


def test_the_report_says_how_each_label_fares():
    report = json.loads(json.dumps(TASK.report(PROBS, LABELS, ["a", "b", "c"], NAMES, {}), allow_nan=False))
    assert report["without_positives"] == {"count": 1, "names": ["round"]}
    red, round_, small = report["per_label"]
    assert (red["support"], red["predicted"], red["precision"], red["recall"]) == (2, 1, 1.0, 0.5)
    assert red["f1"] == pytest.approx(2 / 3)
    assert (round_["average_precision"], round_["recall"], round_["f1"]) == (None, None, None)
    assert (small["precision"], small["threshold"]) == (0.5, 0.5)
    (worst,) = report["worst"]
    assert (worst["id"], worst["labels"], worst["missed"], worst["added"]) == ("c", ["red"], ["red"], ["small"])
    assert report["undefined"] == {}


def test_without_any_label_the_ranking_is_undefined():
    report = TASK.report(PROBS, np.zeros_like(LABELS), ["a", "b", "c"], NAMES, {})
    assert report["undefined"] == {"map": "no sample has a label"}
    assert report["intervals"]["map"] == {"low": 0.0, "high": 1.0, "method": "bootstrap"}
    assert TASK.figures(report)


def test_many_labels_are_drawn_as_thirty():
    rng = np.random.default_rng(0)
    labels = (rng.random((40, 50)) < 0.3).astype(np.uint8)
    names = [f"label {k}" for k in range(50)]
    report = TASK.report(rng.random((40, 50)), labels, [str(k) for k in range(40)], names, {})
    assert len(report["per_label"]) == 50
    assert TASK.figures(report)["labels.png"]
