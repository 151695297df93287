import pytest
import torch
from torch import nn

from graft.core.errors import ArtifactError
from graft.spec.components.optimizer import AdamW, Sgd
from graft.training.optimizer import build_optimizer, load_optimizer_state, optimizer_state

KINDS = {"adamw": AdamW(), "sgd": Sgd(), "plain sgd": Sgd(momentum=0.0)}


def make(spec, num_groups=2):
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last))
    bias = nn.Parameter(torch.zeros(4))
    groups = [
        {"name": "kernels", "params": [kernel], "names": ["body.kernel"], "lr": 0.1, "weight_decay": 0.1},
        {"name": "biases", "params": [bias], "names": ["body.bias"], "lr": 0.1, "weight_decay": 0.0},
    ]
    if num_groups == 1:
        both = {"params": [kernel, bias], "names": ["body.kernel", "body.bias"]}
        groups = [{"name": "all", **both, "lr": 0.1, "weight_decay": 0.1}]
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


def test_state_is_by_name():
    optimizer, _, parameters = make(AdamW())
    step(optimizer, parameters, 0)
    keys = ("step", "exp_avg", "exp_avg_sq")
    assert {*optimizer_state(optimizer)} == {f"body.{name}/{key}" for name in ("kernel", "bias") for key in keys}


@pytest.mark.parametrize("spec", KINDS.values(), ids=KINDS.keys())
def test_the_order_of_the_parameters_does_not_matter(spec):
    first, _, first_parameters = make(spec)
    step(first, first_parameters, 0)
    _, groups, second_parameters = make(spec)
    second = build_optimizer(spec, groups[::-1])
    with torch.no_grad():
        for target, source in zip(second_parameters, first_parameters, strict=True):
            target.copy_(source)
    load_optimizer_state(second, optimizer_state(first))
    step(first, first_parameters, 1)
    step(second, second_parameters, 1)
    assert all(torch.equal(a, b) for a, b in zip(first_parameters, second_parameters, strict=True))


@pytest.mark.parametrize("spec", [AdamW(), Sgd()], ids=["adamw", "sgd"])
def test_a_parameter_that_the_state_does_not_know_starts_afresh(spec):
    """As when a block thaws: its first step is that of a new optimiser, the others in its group go on."""
    trained, _, trained_parameters = make(spec, num_groups=1)
    step(trained, trained_parameters, 0)
    fresh, _, fresh_parameters = make(spec, num_groups=1)
    partly, _, partly_parameters = make(spec, num_groups=1)
    known = {name: value for name, value in optimizer_state(trained).items() if name.startswith("body.bias/")}
    load_optimizer_state(partly, known)
    with torch.no_grad():
        partly_parameters[1].copy_(trained_parameters[1])
    for optimizer, parameters in (
        (trained, trained_parameters),
        (fresh, fresh_parameters),
        (partly, partly_parameters),
    ):
        step(optimizer, parameters, 1)
    assert torch.equal(partly_parameters[0], fresh_parameters[0])
    assert torch.equal(partly_parameters[1], trained_parameters[1])
    step(partly, partly_parameters, 2)
    assert all(torch.isfinite(parameter).all() for parameter in partly_parameters)


@pytest.mark.parametrize("spec", [AdamW(), Sgd()], ids=["adamw", "sgd"])
def test_what_is_known_of_frozen_parameters_is_dropped(spec):
    trained, groups, parameters = make(spec)
    step(trained, parameters, 0)
    head = build_optimizer(spec, groups[1:])
    load_optimizer_state(head, optimizer_state(trained), frozen={"body.kernel"})
    assert {name.split("/")[0] for name in optimizer_state(head)} == {"body.bias"}


def test_momentum_that_was_turned_off_is_forgotten():
    trained, _, parameters = make(Sgd(momentum=0.9))
    step(trained, parameters, 0)
    without = make(Sgd(momentum=0.0))[0]
    load_optimizer_state(without, optimizer_state(trained))
    assert optimizer_state(without) == {}


def whole(name):
    return {f"{name}/{key}": torch.zeros(4, 3, 2, 2) for key in ("step", "exp_avg", "exp_avg_sq")}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (whole("elsewhere"), "elsewhere/step"),
        ({"nonsense": torch.zeros(1)}, "nonsense"),
        (whole("body.bias"), "body.bias/exp_avg"),
        ({"body.kernel/momentum_buffer": torch.zeros(4, 3, 2, 2)}, "body.kernel/momentum_buffer"),
        ({"body.kernel/exp_avg": torch.zeros(4, 3, 2, 2)}, "body.kernel/exp_avg"),
    ],
    ids=["parameter", "name", "shape", "kind", "incomplete"],
)
def test_a_foreign_state_is_refused(state, told):
    optimizer, _, _ = make(AdamW())
    with pytest.raises(ArtifactError, match=f"optimiser state has `{told}`"):
        load_optimizer_state(optimizer, state)


def test_plain_descent_refuses_moments_too():
    with pytest.raises(ArtifactError, match=r"optimiser state has `body.kernel/step`"):
        load_optimizer_state(make(Sgd(momentum=0.0))[0], whole("body.kernel"))
