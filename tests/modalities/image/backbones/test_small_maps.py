"""Convolutions over small maps give what torch's own give, and gradients, too."""

import copy
import itertools
import pickle

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from graft.modalities.image.backbones.small_maps import SmallMapConv2d, suit_small_maps
from graft.models.load import load_backbone

CHANNELS = 6


def run(conv: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Output, and gradients of input, weight and bias."""
    x = x.clone().requires_grad_()
    y = conv(x)
    conv.zero_grad()
    (y * torch.linspace(-1, 1, y.numel()).reshape(y.shape)).sum().backward()
    return [y.detach(), x.grad, *(parameter.grad for parameter in conv.parameters())]


def assert_same(conv: nn.Conv2d, height: int, width: int) -> None:
    x = torch.randn(3, conv.in_channels, height, width, generator=torch.Generator().manual_seed(1))
    suited = suit_small_maps(copy.deepcopy(conv))
    assert isinstance(suited, SmallMapConv2d)
    for memory in (torch.contiguous_format, torch.channels_last):
        for ours, theirs in zip(
            run(suited, x.contiguous(memory_format=memory)),
            run(conv, x.contiguous(memory_format=memory)),
            strict=True,
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "height", "width"),
    [
        (kernel, stride, padding, dilation, height, width)
        for kernel, stride, dilation in itertools.product((3, 5), (1, 2), (1, 2))
        for padding in (0, kernel // 2, 3)
        for height, width in ((1, 1), (2, 2), (1, 3), (3, 2), (7, 7))
        if min(height, width) + 2 * padding >= dilation * (kernel - 1) + 1
    ],
)
def test_depthwise(kernel: int, stride: int, padding: int, dilation: int, height: int, width: int) -> None:
    conv = nn.Conv2d(CHANNELS, CHANNELS, kernel, stride, padding, dilation, groups=CHANNELS, bias=bool(kernel == 3))
    assert_same(conv, height, width)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2)])
def test_depthwise_that_pads_as_tensorflow_does(kernel: int, stride: int, side: int) -> None:
    assert_same(Conv2dSame(CHANNELS, CHANNELS, kernel, stride, groups=CHANNELS, bias=False), side, side)


@pytest.mark.parametrize("side", [1, 2, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_pointwise(side: int, stride: int) -> None:
    assert_same(nn.Conv2d(CHANNELS, 9, 1, stride), side, side)


def test_unequal_kernels() -> None:
    assert_same(nn.Conv2d(CHANNELS, CHANNELS, (3, 5), padding=(1, 2), groups=CHANNELS), 2, 2)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 8, 3, padding=1),
        nn.Conv2d(4, 8, 3, groups=4),
        nn.Conv2d(4, 4, 3, padding="same", groups=4),
        nn.Conv2d(4, 4, 3, padding=1, groups=4, padding_mode="reflect"),
        nn.Conv2d(4, 4, 1, padding=1),
        nn.ConvTranspose2d(4, 4, 3, groups=4),
    ],
    ids=["full", "two outputs a channel", "named padding", "reflected", "padded 1 x 1", "transposed"],
)
def test_others_are_left_as_they_are(conv: nn.Module) -> None:
    kind = type(conv)
    assert type(suit_small_maps(conv)) is kind


@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenet_v2"])
def test_a_whole_network_is_the_same_function(name: str) -> None:
    original = load_backbone(name, 32).backbone.eval()
    suited = suit_small_maps(copy.deepcopy(original))
    assert suited.state_dict().keys() == original.state_dict().keys()
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(suited(images), original(images), rtol=1e-4, atol=1e-4)


def test_training_goes_on_after_inference() -> None:
    conv = suit_small_maps(nn.Conv2d(CHANNELS, CHANNELS, 7, padding=3, groups=CHANNELS))
    x = torch.ones(1, CHANNELS, 2, 1)
    with torch.inference_mode():
        conv(x)
    conv(x).sum().backward()


def test_it_can_be_copied_and_pickled() -> None:
    conv = suit_small_maps(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS))
    x = torch.ones(1, CHANNELS, 1, 1)
    for other in (copy.deepcopy(conv), pickle.loads(pickle.dumps(conv))):
        torch.testing.assert_close(other(x), conv(x))
