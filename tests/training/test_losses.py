import math

import pytest
import torch

from graft.spec.strategy import CrossEntropy
from graft.training.losses import build_loss


def test_uniform_logits_cost_log_k():
    loss = build_loss(CrossEntropy())(torch.zeros(5, 4), torch.tensor([0, 1, 2, 3, 0]))
    assert loss.item() == pytest.approx(math.log(4))


def test_label_smoothing_costs_a_sure_prediction():
    logits, labels = torch.tensor([[20.0, 0.0]]), torch.tensor([0])
    plain = build_loss(CrossEntropy())(logits, labels)
    smooth = build_loss(CrossEntropy(label_smoothing=0.2))(logits, labels)
    assert plain.item() == pytest.approx(0, abs=1e-6)
    assert smooth.item() == pytest.approx(0.1 * 20, rel=1e-4)


def test_bf16_logits_give_a_float32_loss():
    loss = build_loss(CrossEntropy())(torch.zeros(2, 3, dtype=torch.bfloat16), torch.tensor([0, 1]))
    assert loss.dtype == torch.float32
