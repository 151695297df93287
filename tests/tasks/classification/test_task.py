import json

import numpy as np

from graft.spec.tasks.classification import Classification
from graft.tasks.classification.task import ClassificationTask

TASK = ClassificationTask(Classification())
PROBS = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]])
NAMES = ("ant", "bee", "cat")


def test_answers_name_the_class():
    assert TASK.answers(PROBS, NAMES, {}) == {"label": ["bee", "ant"], "probability": [0.7, 0.5]}
    full = TASK.answers(PROBS, NAMES, {}, probabilities=True)
    assert [*full] == ["label", "probability", "p(ant)", "p(bee)", "p(cat)"]
    assert full["p(cat)"] == [0.2, 0.2]


def test_counts_are_rows_of_each_class():
    assert TASK.counts(np.array([2, 0, 2]), NAMES) == {"ant": 1, "bee": 0, "cat": 2}


def test_the_report_keeps_the_keys_of_the_first_release():
    report = TASK.report(PROBS, np.array([1, 1]), ["a", "b"], NAMES, {"num_outputs": 3})
    old = {"format", "num_samples", "classes", "metrics", "intervals", "confusion", "per_class", "worst"}
    assert old | {"task", "calibration", "undefined"} == set(report)
    assert report["undefined"] == {"auroc": "all samples are of one class"}
    assert list(report["worst"]) == [
        {"id": "b", "label": "bee", "predicted": "ant", "probability": 0.5, "label_probability": 0.3}
    ]
    assert [*TASK.figures(json.loads(json.dumps(report)))] == ["confusion_matrix.png"]


def test_a_report_of_the_first_release_can_still_be_drawn():
    report = TASK.report(PROBS, np.array([1, 0]), ["a", "b"], NAMES, {"num_outputs": 3})
    for key in ("task", "calibration", "undefined"):
        del report[key]
    assert TASK.figures(report, lambda ids: [])["worst_examples.png"]


def test_scores_of_the_digits_are_those_of_the_first_release():
    """Golden: the four metrics and their intervals, computed before they moved here."""
    rng = np.random.default_rng(11)
    probs, labels = rng.dirichlet(np.ones(4), size=150), rng.integers(0, 4, 150)
    report = TASK.report(probs, labels, [str(k) for k in range(150)], ("a", "b", "c", "d"), {"num_outputs": 4}, seed=3)
    assert {name: report["metrics"][name] for name in GOLDEN} == {name: one[0] for name, one in GOLDEN.items()}
    for name, (_, low, high) in GOLDEN.items():
        assert (report["intervals"][name]["low"], report["intervals"][name]["high"]) == (low, high)


GOLDEN = {
    "accuracy": (0.28, 0.2143304064763908, 0.3566565010455629),
    "balanced_accuracy": (0.27693471986950247, 0.20861618403372273, 0.3475039996235648),
    "macro_f1": (0.2765711707134729, 0.20236526041854383, 0.3484379750038471),
    "loss": (1.7435608958760305, 1.5748906808298044, 1.925240635623267),
}
