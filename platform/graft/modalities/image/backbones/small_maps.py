"""Convolutions over maps that are smaller than their kernels, computed as what they are: products and sums.

A network made for 224 px has maps of 1 x 1 to 4 x 4 in its upper half when it sees 32 px images. There most of a 5 x 5
kernel lies over padding, and what a CPU computes large maps with takes up to a hundred times as long as the arithmetic
that is left: one product a channel and pair of an input and an output position (torch 2.15, measured by
`tests/benchmarks/small_maps.py`). The results are the same sums; their order, and so the last bits, may differ.
"""

import functools
import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

# Pairs of an input and an output position up to which products and sums are quicker than a convolution.
MOST_PAIRS = 32


def suit_small_maps(network: nn.Module) -> nn.Module:
    """Have the convolutions of a network choose by the size of the map they are given, in place; names stay.

    Ordinary ones, and those of timm that pad as TensorFlow does ("same"), if they are depthwise or 1 x 1.
    """
    for module in network.modules():
        kind = _KINDS.get(type(module).__name__)
        if kind is not None and isinstance(module, nn.Conv2d) and _is_simple(module):
            module.__class__ = kind
    return network


class SmallMapConv2d(nn.Conv2d):
    """A convolution with zeros around its map, depthwise or 1 x 1."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C', H', W']."""
        if self.groups == 1:
            return self._pointwise(x)
        padding = self._padding(x)
        left, right, top, bottom = padding
        sizes = zip(x.shape[2:], self.kernel_size, self.stride, self.dilation, strict=True)
        vertical, horizontal = (
            _Axis(*one, *ends) for one, ends in zip(sizes, ((top, bottom), (left, right)), strict=True)
        )
        taps = _taps(vertical, horizontal)
        return self._large(x, padding) if taps is None else _depthwise(x, self.weight, self.bias, taps)

    def _padding(self, x: Tensor) -> tuple[int, int, int, int]:
        """Left, right, top, bottom."""
        assert not isinstance(self.padding, str), "`suit_small_maps` leaves these out"
        vertical, horizontal = self.padding
        return horizontal, horizontal, vertical, vertical

    def _large(self, x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
        return super().forward(x)

    def _pointwise(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (1, 1):
            return super().forward(x)
        return functional.linear(x[:, :, 0, 0], self.weight[:, :, 0, 0], self.bias)[:, :, None, None]


class SmallMapConv2dSame(SmallMapConv2d):
    """The same with as much padding as makes an output for every stride of the input, more of it at the end."""

    def _padding(self, x: Tensor) -> tuple[int, int, int, int]:
        sizes = zip(x.shape[2:], self.kernel_size, self.stride, self.dilation, strict=True)
        (top, bottom), (left, right) = (_same(*one) for one in sizes)
        return left, right, top, bottom

    def _large(self, x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
        padded = functional.pad(x, padding) if any(padding) else x
        return functional.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


_KINDS: dict[str, type[SmallMapConv2d]] = {"Conv2d": SmallMapConv2d, "Conv2dSame": SmallMapConv2dSame}


def _is_simple(module: nn.Conv2d) -> bool:
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        return False
    is_depthwise = module.groups == module.in_channels == module.out_channels > 1
    is_pointwise = module.groups == 1 and module.kernel_size == (1, 1) and module.padding == (0, 0)
    return is_depthwise or is_pointwise


def _depthwise(x: Tensor, weight: Tensor, bias: Tensor | None, taps: "_Taps") -> Tensor:
    """Each output is the sum over the inputs of input times the weight that lies over it, channel by channel."""
    samples, channels = x.shape[:2]
    places, is_there = taps.places.to(x.device), taps.is_there.to(x.device)
    weights = weight.reshape(channels, -1).t()[places] * is_there[..., None]  # [inputs, outputs, C]
    values = x.permute(0, 2, 3, 1).reshape(samples, -1, 1, channels)
    y = (values * weights).sum(dim=1)
    if bias is not None:
        y = y + bias
    return y.reshape(samples, *taps.size, channels).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class _Taps:
    """Which weight of a kernel lies over an input for an output.

    Attributes:
        places: int64 [inputs, outputs], position in the flattened kernel; 0 where none does.
        is_there: bool [inputs, outputs].
        size: height and width of the output.
    """

    places: Tensor
    is_there: Tensor
    size: tuple[int, int]


@dataclass(frozen=True)
class _Axis:
    """One direction of a convolution."""

    inputs: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def outputs(self) -> int:
        return (self.inputs + self.before + self.after - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    def place(self, source: int, target: int) -> int | None:
        """The place in the kernel of the weight that lies over an input for an output."""
        place, rest = divmod(source - target * self.stride + self.before, self.dilation)
        return place if not rest and 0 <= place < self.kernel else None


@functools.lru_cache(maxsize=256)
def _taps(vertical: _Axis, horizontal: _Axis) -> _Taps | None:
    """None if there are too many pairs of positions."""
    size = vertical.outputs, horizontal.outputs
    sources = list(itertools.product(range(vertical.inputs), range(horizontal.inputs)))
    targets = list(itertools.product(range(size[0]), range(size[1])))
    if not 0 < len(sources) * len(targets) <= MOST_PAIRS:
        return None
    found = [[(vertical.place(i, o), horizontal.place(j, p)) for o, p in targets] for i, j in sources]
    places = [
        [-1 if row is None or column is None else row * horizontal.kernel + column for row, column in one]
        for one in found
    ]
    with torch.inference_mode(False):  # what is made in inference mode can never again be part of a training step
        table = torch.tensor(places)
        return _Taps(table.clamp(min=0), table >= 0, size)


def _same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    missing = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return missing // 2, missing - missing // 2
