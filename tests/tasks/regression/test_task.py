import json

import numpy as np
import pytest
import torch

from graft.core.errors import DataError
from graft.spec.tasks.regression import Regression
from graft.tasks.regression.task import RegressionTask

TASK = RegressionTask(Regression(coverage=0.8))
RNG = np.random.default_rng(0)
TRAINING = RNG.normal([50, -3], [10, 0.5], (300, 2))
FACTS = TASK.facts(TRAINING, ("age", "charge"))


def report_of(num=40, facts=FACTS):
    targets = RNG.normal([50, -3], [10, 0.5], (num, 2))
    predictions = targets + RNG.normal(0, [3, 0.2], (num, 2))
    return (
        TASK.report(predictions, targets, [str(k) for k in range(num)], ("age", "charge"), facts),
        targets,
        predictions,
    )


def test_facts_are_mean_and_deviation():
    assert FACTS["num_outputs"] == 2
    np.testing.assert_allclose(FACTS["mean"], TRAINING.mean(axis=0))
    np.testing.assert_allclose(FACTS["std"], TRAINING.std(axis=0))
    with pytest.raises(DataError, match="target `a` is 3 in all of the training samples"):
        TASK.facts(np.full((9, 1), 3.0), ("a",))
    with pytest.raises(DataError, match=r"deviation .* must be finite and above 0; scale the numbers"):
        TASK.facts(np.array([[1e300], [-1e300]]), ("a",))


def test_decisions_are_in_units():
    np.testing.assert_allclose(TASK.decide(torch.zeros(1, 2), FACTS), TRAINING.mean(axis=0)[None])
    np.testing.assert_allclose(
        TASK.decide(torch.ones(1, 2), FACTS), (TRAINING.mean(axis=0) + TRAINING.std(axis=0))[None]
    )


def test_the_report_compares_with_the_mean():
    report, targets, _ = report_of()
    assert report["baseline"]["mae"] == pytest.approx(np.abs(targets - FACTS["mean"]).mean())
    assert report["metrics"]["mae"] < report["baseline"]["mae"] / 2
    assert [one["name"] for one in report["per_target"]] == ["age", "charge"]
    assert report["metrics"]["mae"] == pytest.approx(np.mean([one["mae"] for one in report["per_target"]]))


def test_the_worst_are_those_with_the_largest_error_in_deviations():
    report, targets, predictions = report_of()
    errors = (np.abs(targets - predictions) / FACTS["std"]).max(axis=1)
    first = report["worst"][0]
    assert int(first["id"]) == errors.argmax()
    assert first["error"] == pytest.approx(errors.max())
    assert first["values"]["charge"] == targets[errors.argmax(), 1]
    assert len(report["worst"]) == 20


def test_residuals_and_points():
    report, targets, predictions = report_of(num=700)
    residuals = report["residuals"]["age"]
    assert residuals["quantiles"]["0.5"] == pytest.approx(np.median(targets[:, 0] - predictions[:, 0]))
    assert sum(residuals["histogram"]["counts"]) == 700
    points = np.array(report["points"]["age"])
    assert points.shape == (500, 2)
    assert np.isin(points[:, 0], targets[:, 0]).all()


def test_calibration_gives_an_interval_whose_coverage_is_measured():
    outputs = torch.from_numpy(RNG.normal(size=(400, 2)))
    targets = TASK.decide(outputs, FACTS) + RNG.normal(0, [3, 0.2], (400, 2))
    facts = FACTS | TASK.calibrate(outputs, targets, FACTS)
    assert facts["interval"]["coverage"] == 0.8
    report, _, predictions = report_of(2000, facts)
    assert report["prediction_interval"]["measured"] == pytest.approx([0.8, 0.8], abs=0.05)
    found = TASK.answers(predictions[:2], ("age", "charge"), facts)
    assert [*found] == ["age", "low(age)", "high(age)", "charge", "low(charge)", "high(charge)"]
    assert found["low(age)"][0] < found["age"][0] < found["high(age)"][0]


def test_answers_of_one_target():
    facts = {"interval": {"coverage": 0.9, "low": [-1.0], "high": [2.0]}}
    assert TASK.answers(np.array([[5.0]]), ("age",), facts) == {"value": [5.0], "low": [4.0], "high": [7.0]}
    assert TASK.answers(np.array([[5.0]]), ("age",), {}) == {"value": [5.0]}


def test_what_a_split_leaves_undefined_is_said():
    targets = np.full((4, 1), 3.0)
    facts = {"num_outputs": 1, "mean": [0.0], "std": [1.0]}
    report = TASK.report(RNG.normal(size=(4, 1)), targets, list("abcd"), ("a",), facts)
    assert set(report["undefined"]) == {"r2", "spearman"}
    assert (report["metrics"]["r2"], report["metrics"]["spearman"]) == (0, 0)
    json.dumps(report, allow_nan=False)
    assert TASK.figures(report)


def test_counts_are_ranges():
    assert TASK.counts(np.array([[1.0], [4.0]]), ("a",)) == {"a": {"min": 1.0, "mean": 2.5, "max": 4.0}}
    assert TASK.counts(np.empty((0, 1)), ("a",)) == {}


def test_targets_called_as_columns_of_every_prediction_hide_none_of_them():
    answers = TASK.answers(np.array([[1.0, 2.0, 3.0]]), ["source", "error", "size"], {})
    assert answers == {"value(source)": [1.0], "value(error)": [2.0], "size": [3.0]}
