import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from graft.spec.tasks.classification import Classification
from graft.tasks.classification.calibration import calibration_report, fit_temperature, undo_temperature
from graft.tasks.classification.metrics import calibration_error
from graft.tasks.classification.task import ClassificationTask

TASK = ClassificationTask(Classification())


def overconfident(num, factor, seed=0):
    """Logits that are `factor` times as far apart as the labels that were drawn from them say."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(num, 4, generator=generator, dtype=torch.float64) * 1.5
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]
    return factor * logits, labels.numpy()


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_is_found(factor):
    assert fit_temperature(*overconfident(4000, factor)) == pytest.approx(factor, rel=0.1)


def test_it_is_where_the_loss_is_least():
    logits, labels = overconfident(500, 2.0)
    found = fit_temperature(logits, labels)

    def loss(temperature):
        return torch.nn.functional.cross_entropy(logits / temperature, torch.from_numpy(labels)).item()

    assert loss(found) <= min(loss(found * 0.99), loss(found * 1.01))


@pytest.mark.parametrize("num", [0, 199])
def test_too_few_rows_give_none_and_say_so(num):
    logits, labels = overconfident(max(num, 1), 3.0)
    logits, labels = logits[:num], labels[:num]
    assert fit_temperature(logits, labels) == 1.0
    found = TASK.calibrate(logits, labels, {"num_outputs": 4})
    assert found["temperature"] == 1.0
    assert "too few" in found["temperature_reason"]


def test_what_is_not_finite_or_right_everywhere_does_no_harm():
    logits, labels = overconfident(300, 1.0)
    logits[5, 2] = np.nan
    assert fit_temperature(logits, labels) == 1.0
    sure = 5.0 * torch.eye(4)[torch.arange(300) % 4]
    assert 0.05 <= fit_temperature(sure, np.arange(300) % 4) <= 1


def test_a_decision_takes_the_temperature_and_the_report_undoes_it():
    logits, labels = overconfident(2000, 3.0)
    plain = TASK.decide(logits, {"num_outputs": 4})
    cooled = TASK.decide(logits, {"num_outputs": 4, "temperature": 3.0})
    np.testing.assert_array_equal(plain, torch.softmax(logits.double(), dim=1).numpy())
    np.testing.assert_array_equal(plain.argmax(axis=1), cooled.argmax(axis=1))
    np.testing.assert_allclose(undo_temperature(cooled, 3.0), plain, atol=1e-12)
    found = calibration_report(cooled, labels, 3.0)
    assert found["temperature"] == 3.0
    assert found["after"]["ece"] < found["before"]["ece"] / 2
    assert found["after"]["log_loss"] < found["before"]["log_loss"]


def test_the_calibration_error_is_that_of_torchmetrics():
    logits, labels = overconfident(400, 2.5)
    probs = logits.softmax(dim=1)
    wanted = multiclass_calibration_error(probs, torch.from_numpy(labels), num_classes=4, n_bins=15, norm="l1")
    found = probs.numpy()
    assert calibration_error(found.max(axis=1), found.argmax(axis=1) == labels) == pytest.approx(
        wanted.item(), abs=1e-6
    )


def test_bins_of_equal_mass_hold_as_many_samples_each():
    confidence = np.array([0.9, 0.91, 0.92, 0.93])
    right = np.array([True, False, True, False])
    assert calibration_error(confidence, right, equal_mass=True, bins=2) == pytest.approx((0.81 + 0.85) / 4)
    assert calibration_error(confidence, right, bins=2) == pytest.approx((3.66 - 2) / 4)
