import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from torchmetrics.functional.classification import multiclass_accuracy

from graft.spec.tasks.classification import Classification
from graft.tasks.classification.metrics import METRIC_NAMES, TOP, confusion, in_top, losses, per_class, score


def predictions(seed, num=60, num_classes=5, missing=()):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(num_classes), size=num)
    allowed = [k for k in range(num_classes) if k not in missing]
    return probs, rng.choice(allowed, size=num)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), num=st.integers(1, 40), missing=st.sets(st.integers(0, 4), max_size=3))
def test_metrics_are_those_of_scikit_learn(seed, num, missing):
    probs, labels = predictions(seed, num, missing=missing)
    predicted, found = probs.argmax(axis=1), score(probs, labels)
    recall = sklearn_metrics.recall_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, predicted))
    assert found["balanced_accuracy"] == pytest.approx(recall)
    assert found["macro_f1"] == pytest.approx(
        sklearn_metrics.f1_score(labels, predicted, average="macro", zero_division=0)
    )
    assert found["loss"] == pytest.approx(sklearn_metrics.log_loss(labels, probs, labels=range(5)))


def test_the_metrics_a_job_can_name_are_those_that_are_computed():
    assert {*METRIC_NAMES} == {one.name for one in Classification.metrics}


def test_a_perfect_prediction():
    labels = np.array([0, 1, 2, 1])
    found = score(np.eye(3)[labels], labels)
    assert found == {name: 0 if name in ("loss", "log_loss", "ece") else 1 for name in METRIC_NAMES}


def test_classes_missing_from_the_labels_do_not_count_in_balanced_accuracy():
    probs, labels = np.eye(3)[[0, 0, 1]], np.array([0, 0, 0])
    found = score(probs, labels)
    assert found["balanced_accuracy"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx((4 / 5 + 0) / 2)


def test_always_the_largest_class_looks_good_only_in_accuracy():
    labels = np.array([0] * 9 + [1])
    found = score(np.tile([1.0, 0.0], (10, 1)), labels)
    assert found["accuracy"] == pytest.approx(0.9)
    assert found["balanced_accuracy"] == pytest.approx(0.5)


def test_only_the_metrics_asked_for_are_given():
    assert [*score(*predictions(0), ["loss", "accuracy"])] == ["loss", "accuracy"]


def test_a_surely_wrong_prediction_costs_much_but_not_everything():
    assert losses(np.array([[0.0, 1.0]]), np.array([0]))[0] == pytest.approx(34.54, abs=0.01)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_scores_nothing(value):
    probs, labels = predictions(0)
    probs[3] = value
    found = score(probs, labels)
    assert [*found] == [*METRIC_NAMES]
    assert np.isnan([*found.values()]).all()


def test_confusion_has_labels_in_rows():
    assert confusion(np.array([1, 1, 0]), np.array([0, 0, 0]), 2).tolist() == [[1, 2], [0, 0]]


def test_labels_may_be_narrow_integers():
    labels = np.full(300, 199, dtype=np.uint8)
    assert confusion(np.full(300, 199), labels, 200)[199, 199] == 300


def test_per_class_scores():
    cat, dog, bird = per_class(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 0]]), ["cat", "dog", "bird"])
    assert (cat.support, cat.precision, cat.recall, cat.f1) == (4, 1.0, 0.75, pytest.approx(6 / 7))
    assert (dog.support, dog.precision, dog.recall, dog.f1) == (0, 0.0, None, 0.0)
    assert (bird.precision, bird.recall, bird.f1) == (None, None, None)


@pytest.mark.parametrize(
    ("probs", "labels", "message"),
    [
        (np.ones((2, 3)), np.zeros(3, dtype=int), r"shapes are \(2, 3\) and \(3,\)"),
        (np.ones(3), np.zeros(3, dtype=int), r"but must be \[N, K\] and \[N\]"),
        (np.ones((0, 3)), np.zeros(0, dtype=int), "no sample to score"),
        (np.ones((2, 3)), np.array([0, 3]), r"labels are 0\.\.3, but must be within 0\.\.2"),
        (np.ones((2, 3)), np.array([-1, 0]), r"labels are -1\.\.0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(probs, labels, message):
    with pytest.raises(ValueError, match=message):
        score(probs, labels)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="metric is `auc`, but must be one of accuracy"):
        score(*predictions(0), ["auc"])


def test_one_name_a_class():
    with pytest.raises(ValueError, match="there are 1 class names, but must be 2"):
        per_class(np.eye(2, dtype=int), ["cat"])


@pytest.mark.parametrize("num_classes", [2, 3, 8])
def test_ranking_metrics_are_those_of_scikit_learn_and_torchmetrics(num_classes):
    probs, labels = predictions(3, num=200, num_classes=num_classes)
    found, given = score(probs, labels), torch.from_numpy(probs)
    truth = torch.from_numpy(labels)
    wanted = (
        sklearn_metrics.roc_auc_score(labels, probs[:, 1])
        if num_classes == 2
        else sklearn_metrics.roc_auc_score(labels, probs, multi_class="ovr")
    )
    assert found["auroc"] == pytest.approx(wanted)
    assert found["log_loss"] == found["loss"]
    for name, k in TOP.items():
        if k < num_classes:
            oracle = multiclass_accuracy(given, truth, num_classes=num_classes, top_k=k, average="micro").item()
            assert found[name] == pytest.approx(oracle, abs=1e-6)
        else:
            assert found[name] == 1


def test_classes_that_do_not_occur_do_not_count_in_auroc():
    probs, labels = predictions(5, num_classes=4, missing=(2,))
    curves = [sklearn_metrics.roc_auc_score(labels == k, probs[:, k]) for k in (0, 1, 3)]
    assert score(probs, labels, ["auroc"])["auroc"] == pytest.approx(np.mean(curves))
    assert score(probs, np.zeros_like(labels), ["auroc"])["auroc"] == 0.5


def test_the_first_of_equals_is_on_top():
    probs = np.full((2, 5), 0.2)
    assert in_top(probs, np.array([2, 3]), 3).tolist() == [True, False]
