import math

import numpy as np
import pytest
import torch

from graft.spec.registry import build
from graft.spec.tasks.classification import ClassBalanced, CrossEntropy, Focal
from graft.tasks.classification.losses import class_weights


def build_loss(spec, class_counts=(1, 1)):
    """The loss after training on so many samples of each class."""
    training = np.repeat(np.arange(len(class_counts)), class_counts)
    return build(spec, training, {"num_outputs": len(class_counts)}, "cpu")


def test_uniform_logits_cost_log_k():
    loss = build_loss(CrossEntropy())(torch.zeros(5, 4), torch.tensor([0, 1, 2, 3, 0]))
    assert loss.item() == pytest.approx(math.log(4))


def test_label_smoothing_costs_a_sure_prediction():
    logits, labels = torch.tensor([[20.0, 0.0]]), torch.tensor([0])
    plain = build_loss(CrossEntropy())(logits, labels)
    smooth = build_loss(CrossEntropy(label_smoothing=0.2))(logits, labels)
    assert plain.item() == pytest.approx(0, abs=1e-6)
    assert smooth.item() == pytest.approx(0.1 * 20, rel=1e-4)


def test_focal_by_hand():
    p = torch.tensor([0.9, 0.4])
    logits = torch.stack([p.log(), (1 - p).log()], dim=1)
    loss = build_loss(Focal(gamma=2.0))(logits, torch.tensor([0, 0]))
    assert loss.item() == pytest.approx((-(0.1**2) * math.log(0.9) - 0.6**2 * math.log(0.4)) / 2, rel=1e-5)


def test_focal_without_gamma_is_cross_entropy():
    logits, labels = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)), torch.arange(9) % 4
    torch.testing.assert_close(build_loss(Focal(gamma=0.0))(logits, labels), build_loss(CrossEntropy())(logits, labels))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("logit", [0.0, 30.0, 200.0, -200.0])
def test_the_slope_of_focal_is_finite_however_sure_the_network_is(gamma, logit):
    logits = torch.tensor([[logit, 0.0]], requires_grad=True)
    loss = build_loss(Focal(gamma=gamma))(logits, torch.tensor([0]))
    loss.backward()
    assert math.isfinite(loss.item())
    assert torch.isfinite(logits.grad).all()


def test_weights_of_classes_by_hand():
    effective = [(1 - 0.9**n) / 0.1 for n in (1, 10, 100)]
    raw = [1 / number for number in effective]
    assert class_weights([1, 10, 100], 0.9) == pytest.approx([weight * 3 / sum(raw) for weight in raw])
    assert sum(class_weights([1, 10, 100], 0.9)) == pytest.approx(3)


@pytest.mark.parametrize(("counts", "beta"), [([5, 50, 500], 0.0), ([7, 7, 7], 0.999)])
def test_classes_that_weigh_alike_give_cross_entropy(counts, beta):
    logits, labels = torch.randn(9, 3, generator=torch.Generator().manual_seed(0)), torch.arange(9) % 3
    balanced = build_loss(ClassBalanced(beta=beta), counts)(logits, labels)
    torch.testing.assert_close(balanced, build_loss(CrossEntropy())(logits, labels))


def test_near_one_a_class_weighs_as_the_inverse_of_its_size():
    few, many = class_weights([10, 1000], 1 - 1e-9)
    assert few / many == pytest.approx(100, rel=1e-3)


def test_a_class_without_samples_has_a_finite_weight():
    assert class_weights([0, 1, 5], 0.99)[0] == class_weights([0, 1, 5], 0.99)[1]


ALL = [CrossEntropy(), CrossEntropy(label_smoothing=0.1), Focal(), ClassBalanced(beta=0.9)]


@pytest.mark.parametrize("spec", ALL, ids=str)
def test_the_loss_of_a_batch_is_the_mean_of_its_parts_by_their_sizes(spec):
    """What processes and micro-batches rely on."""
    logits, labels = torch.randn(10, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0] * 7 + [1, 2, 2])
    loss = build_loss(spec, [70, 10, 20])
    parts = [(slice(0, 7), 7), (slice(7, 9), 2), (slice(9, 10), 1)]
    joined = sum(loss(logits[part], labels[part]) * size for part, size in parts) / 10
    torch.testing.assert_close(joined, loss(logits, labels))


@pytest.mark.parametrize("spec", ALL, ids=str)
def test_every_loss_of_bf16_logits_is_float32(spec):
    loss = build_loss(spec, [1, 1, 1])(torch.zeros(2, 3, dtype=torch.bfloat16), torch.tensor([0, 1]))
    assert loss.dtype == torch.float32
