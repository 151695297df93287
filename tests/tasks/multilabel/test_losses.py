import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from graft.spec.registry import build
from graft.spec.tasks.multilabel import AsymmetricLoss, BinaryCrossEntropy
from graft.tasks.multilabel.losses import asymmetric

LOGITS = torch.tensor([[0.3, -1.2, 4.0], [1.0, 0.4, -3.0]])
LABELS = torch.tensor([[1, 0, 1], [0, 0, 1]], dtype=torch.uint8)


def value_and_slope(loss):
    logits = LOGITS.clone().requires_grad_()
    value = loss(logits, LABELS)
    value.backward()
    return value.detach(), logits.grad


def test_binary_cross_entropy_is_that_of_torch():
    mine = value_and_slope(build(BinaryCrossEntropy(), np.zeros((1, 3)), {"num_outputs": 3}, "cpu"))
    theirs = value_and_slope(lambda a, b: functional.binary_cross_entropy_with_logits(a, b.float()))
    torch.testing.assert_close(mine, theirs)


def test_without_its_parameters_the_asymmetric_loss_is_binary_cross_entropy():
    spec = AsymmetricLoss(gamma_negative=0.0, gamma_positive=0.0, margin=0.0)
    assert isinstance(spec.simplest(), BinaryCrossEntropy)
    assert AsymmetricLoss().simplest() == AsymmetricLoss()
    mine = value_and_slope(asymmetric(spec, np.zeros((1, 3)), {}, "cpu"))
    theirs = value_and_slope(lambda a, b: functional.binary_cross_entropy_with_logits(a, b.float()))
    torch.testing.assert_close(mine, theirs)


def test_the_asymmetric_loss_by_hand():
    spec = AsymmetricLoss(gamma_negative=4.0, gamma_positive=1.0, margin=0.05)
    p, q = 0.7, 0.4
    logits = torch.tensor([[math.log(p / (1 - p)), math.log(q / (1 - q))]])
    wanted = -((1 - p) * math.log(p) + (q - 0.05) ** 4 * math.log(1 - (q - 0.05))) / 2
    found = asymmetric(spec, np.zeros((1, 2)), {}, "cpu")(logits, torch.tensor([[1, 0]]))
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_easy_negatives_cost_nothing():
    loss = asymmetric(AsymmetricLoss(), np.zeros((1, 1)), {}, "cpu")
    assert loss(torch.tensor([[-3.0]]), torch.tensor([[0]])).item() == pytest.approx(0, abs=1e-30)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("margin", [0.0, 0.05])
@pytest.mark.parametrize("logit", [0.0, 40.0, -40.0, 200.0, -200.0])
def test_the_slope_is_finite_however_sure_the_network_is(gamma, margin, logit):
    spec = AsymmetricLoss(gamma_negative=gamma, gamma_positive=gamma, margin=margin)
    logits = torch.tensor([[logit, logit]], requires_grad=True)
    loss = asymmetric(spec, np.zeros((1, 2)), {}, "cpu")(logits, torch.tensor([[0, 1]]))
    loss.backward()
    assert math.isfinite(loss.item())
    assert torch.isfinite(logits.grad).all()
