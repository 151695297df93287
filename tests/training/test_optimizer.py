import pytest
import torch
from torch import nn

from graft.core.errors import ArtifactError
from graft.spec.strategy import AdamW, Sgd
from graft.training.optimizer import build_optimizer, load_optimizer_state, optimizer_state

KINDS = {"adamw": AdamW(), "sgd": Sgd(), "plain sgd": Sgd(momentum=0.0)}


def make(spec):
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last))
    bias = nn.Parameter(torch.zeros(4))
    groups = [
        {"name": "kernel", "params": [kernel], "lr": 0.1, "weight_decay": 0.1},
        {"name": "bias", "params": [bias], "lr": 0.1, "weight_decay": 0.0},
    ]
    return build_optimizer(spec, groups), groups, (kernel, bias)


def step(optimizer, parameters, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        parameter.grad = torch.empty_like(parameter).copy_(torch.randn(parameter.shape, generator=generator))
    optimizer.step()


@pytest.mark.parametrize("spec", KINDS.values(), ids=KINDS.keys())
def test_state_round_trips_bit_for_bit_under_channels_last_weights(spec):
    first, _, first_parameters = make(spec)
    second, _, second_parameters = make(spec)
    step(first, first_parameters, 0)
    stored = {name: tensor.contiguous().clone() for name, tensor in optimizer_state(first).items()}
    load_optimizer_state(second, stored)
    with torch.no_grad():
        for target, source in zip(second_parameters, first_parameters, strict=True):
            target.copy_(source)
    step(first, first_parameters, 1)
    step(second, second_parameters, 1)
    assert all(torch.equal(a, b) for a, b in zip(first_parameters, second_parameters, strict=True))


def test_groups_are_copied():
    optimizer, groups, _ = make(AdamW())
    optimizer.param_groups[0]["lr"] = 5.0
    assert groups[0]["lr"] == 0.1


def test_decay_differs_by_group():
    optimizer, _, parameters = make(Sgd(momentum=0.0))
    start = [parameter.detach().clone() for parameter in parameters]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(parameters[0].detach(), start[0] * (1 - 0.1 * 0.1))
    assert torch.equal(parameters[1], start[1])


def test_nesterov_without_momentum_is_plain_descent():
    optimizer, _, _ = make(Sgd(momentum=0.0, nesterov=True))
    assert optimizer.param_groups[0]["nesterov"] is False


def test_there_is_no_state_before_the_first_step():
    assert optimizer_state(make(AdamW())[0]) == {}


@pytest.mark.parametrize("name", ["7/exp_avg", "nonsense", "1/exp_avg", "0/momentum_buffer"])
def test_a_foreign_state_is_refused(name):
    optimizer, _, _ = make(AdamW())
    with pytest.raises(ArtifactError, match=f"optimiser state has `{name}`"):
        load_optimizer_state(optimizer, {name: torch.zeros(4, 3, 2, 2)})
