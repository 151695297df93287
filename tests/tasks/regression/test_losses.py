import numpy as np
import pytest
import torch
from torch.nn import functional

from graft.spec.registry import build
from graft.spec.tasks.regression import Huber, Quantile, SquaredError

FACTS = {"num_outputs": 2, "mean": [50.0, -3.0], "std": [10.0, 0.5]}
TARGETS = torch.tensor([[40.0, -3.5], [75.0, -3.0], [50.0, -2.0]], dtype=torch.float64)
STANDARD = torch.tensor([[-1.0, -1.0], [2.5, 0.0], [0.0, 2.0]])


def loss_of(spec, facts=FACTS):
    return build(spec, np.zeros((1, 2)), facts, "cpu")


@pytest.mark.parametrize(
    ("spec", "oracle"),
    [
        (SquaredError(), functional.mse_loss),
        (Huber(), functional.smooth_l1_loss),
        (Huber(delta=0.3), lambda a, b: functional.huber_loss(a, b, delta=0.3)),
        (Quantile(), lambda a, b: functional.l1_loss(a, b) / 2),
        (Quantile(quantile=0.9), lambda a, b: torch.where(b > a, 0.9 * (b - a), 0.1 * (a - b)).mean()),
    ],
    ids=["squared error", "huber", "huber of another delta", "median", "quantile"],
)
def test_values_and_gradients_are_those_of_torch_on_standard_scores(spec, oracle):
    mine = torch.tensor([[0.3, -1.2], [1.0, 0.4], [0.2, 0.1]], requires_grad=True)
    theirs = mine.detach().clone().requires_grad_()
    loss, wanted = loss_of(spec)(mine, TARGETS), oracle(theirs, STANDARD)
    torch.testing.assert_close(loss, wanted)
    loss.backward()
    wanted.backward()
    torch.testing.assert_close(mine.grad, theirs.grad)


def test_large_numbers_keep_their_digits():
    facts = {"num_outputs": 1, "mean": [1.7e9], "std": [2.0]}  # seconds since 1970
    loss = loss_of(SquaredError(), facts)(torch.ones(1, 1), torch.tensor([[1.7e9 + 2]], dtype=torch.float64))
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_one_target_may_come_without_its_axis():
    facts = {"num_outputs": 1, "mean": [0.0], "std": [1.0]}
    loss = loss_of(SquaredError(), facts)(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 4.0]))
    assert loss.item() == pytest.approx(2.0)


def test_the_least_pinball_loss_is_at_the_quantile():
    values = torch.from_numpy(np.random.default_rng(0).exponential(size=(2000, 1)))
    loss = loss_of(Quantile(quantile=0.8), {"num_outputs": 1, "mean": [0.0], "std": [1.0]})
    places = torch.linspace(0.5, 3, 251)
    best = places[int(torch.stack([loss(place.expand(2000, 1), values) for place in places]).argmin())]
    assert best.item() == pytest.approx(float(np.quantile(values.numpy(), 0.8)), abs=0.02)
