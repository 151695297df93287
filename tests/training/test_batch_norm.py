"""With one process the synchronised batch norm is torch's own; with several, see test_world."""

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from graft.training.batch_norm import global_batch_norm
from graft.training.world import ALONE

NORMS = {
    "flat": (nn.BatchNorm1d(3), (8, 3)),
    "images": (nn.BatchNorm2d(3), (4, 3, 5, 5)),
    "plain": (nn.BatchNorm2d(3, affine=False), (4, 3, 5, 5)),
    "cumulative": (nn.BatchNorm2d(3, momentum=None), (4, 3, 5, 5)),
    "untracked": (nn.BatchNorm2d(3, track_running_stats=False), (4, 3, 5, 5)),
    "with an activation": (BatchNormAct2d(3), (4, 3, 5, 5)),
}


def run(norm, x, target, context):
    norm.load_state_dict(norm.start)
    norm.zero_grad()
    x = x.clone().requires_grad_()
    for _ in range(2):
        with context:
            y = norm.train()(x)
        (y * target).square().sum().backward()
    gradients = [parameter.grad.clone() for parameter in norm.parameters()]
    return [y.detach(), x.grad, *gradients, *(buffer.clone() for buffer in norm.buffers())]


@pytest.mark.parametrize(("norm", "shape"), NORMS.values(), ids=NORMS.keys())
def test_one_process_normalises_as_torch_does(norm, shape):
    norm.start = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    draw = torch.Generator().manual_seed(0)
    x, target = torch.randn(shape, generator=draw) * 3 + 5, torch.randn(shape, generator=draw)
    with torch.no_grad():
        for index, parameter in enumerate(norm.parameters()):
            parameter.uniform_(index + 0.5, index + 1.5, generator=draw)
    norm.start = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    expected = run(norm, x, target, torch.enable_grad())
    found = run(norm, x, target, global_batch_norm(ALONE))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_evaluation_is_left_alone():
    norm, x = nn.BatchNorm2d(3).eval(), torch.randn(4, 3, 5, 5)
    with global_batch_norm(ALONE):
        torch.testing.assert_close(norm(x), x / torch.sqrt(torch.tensor(1 + norm.eps)))


def test_a_constant_channel_stays_finite():
    x = torch.full((4, 1, 2, 2), 1e4, requires_grad=True)
    with global_batch_norm(ALONE):
        nn.BatchNorm2d(1)(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_names_and_classes_of_the_network_stay():
    network = nn.Sequential(nn.BatchNorm2d(3))
    before = {name: type(module) for name, module in network.named_modules()}, [*network.state_dict()]
    with global_batch_norm(ALONE):
        network(torch.randn(4, 3, 2, 2))
    assert ({name: type(module) for name, module in network.named_modules()}, [*network.state_dict()]) == before
