"""A small network of one's own on raw samples, learned over tasks."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.episodes.samples import RAW, Inputs
from graft.episodes.starts.protocol import Moments, Start

_BYTE, _EPSILON, _BLOCKS = 255.0, 1e-5, 4


class OwnNetwork(Start):
    """Four strided 3×3 convolutions for grids, three linear layers for vectors; each normalised, then ReLU.

    The Conv4 of Vinyals and others (NeurIPS 2016) with strides in place of pooling, as in MAML's for Omniglot (Finn,
    Abbeel & Levine, ICML 2017). Normalisation is that of a batch (Ioffe & Szegedy, ICML 2015) with moments that are
    given: its own buffers are the moments of training samples, once `settle` was called.

    Args:
        shape: of a raw sample: [H, W] or [C, H, W], or [F].
        channels: of each layer.
        view: that it reads; bytes become numbers between 0 and 1.
    """

    def __init__(self, shape: Sequence[int], channels: int = 64, view: str = RAW) -> None:
        super().__init__()
        self.views, self._is_grid = (view,), len(shape) > 1
        planes = shape[0] if len(shape) == 3 else 1
        sizes = [planes if self._is_grid else shape[0]] + [channels] * (_BLOCKS if self._is_grid else _BLOCKS - 1)
        pairs = list(pairwise(sizes))
        self.layers = nn.ModuleList(
            nn.Conv2d(one, other, 3, stride=2, padding=1, bias=False)
            if self._is_grid
            else nn.Linear(one, other, bias=False)
            for one, other in pairs
        )
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)  # type: ignore[arg-type]
        self.gains = nn.ParameterList(torch.ones(channels) for _ in pairs)
        self.shifts = nn.ParameterList(torch.zeros(channels) for _ in pairs)
        for place in range(len(pairs)):
            self.register_buffer(f"mean{place}", torch.zeros(channels))
            self.register_buffer(f"variance{place}", torch.ones(channels))
        sides = [side for side in shape[-2:]] if self._is_grid else []
        cells = 1
        for side in sides:
            for _ in range(_BLOCKS):
                side = (side + 1) // 2
            cells *= side
        self.width = channels * cells

    def forward(self, inputs: Inputs, moments: Moments | None = None) -> tuple[Tensor, Moments]:
        """Vectors [n, width]."""
        raw = inputs[self.views[0]]
        x = raw.float() if raw.is_floating_point() else raw.float() / _BYTE
        if self._is_grid and x.ndim == 3:
            x = x.unsqueeze(1)
        used = []
        for place, layer in enumerate(self.layers):
            x = layer(x)
            own = _moments(x) if moments is None else moments[place]
            used.append(own)
            x = functional.relu(_normalised(x, own, self.gains[place], self.shifts[place]))
        return x.flatten(1), tuple(used)

    def fixed(self) -> Moments:
        """The moments of its buffers."""
        return tuple(
            (getattr(self, f"mean{place}"), getattr(self, f"variance{place}")) for place in range(len(self.layers))
        )

    @torch.no_grad()
    def settle(self, inputs: Inputs) -> None:
        """Take the moments of these samples."""
        for place, (mean, variance) in enumerate(self(inputs)[1]):
            getattr(self, f"mean{place}").copy_(mean)
            getattr(self, f"variance{place}").copy_(variance)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel."""
    over = tuple(place for place in range(x.ndim) if place != 1)
    return x.mean(over), x.var(over, unbiased=False)


def _normalised(x: Tensor, moments: tuple[Tensor, Tensor], gain: Tensor, shift: Tensor) -> Tensor:
    shape = [1, -1] + [1] * (x.ndim - 2)
    mean, variance = moments
    scale = gain * torch.rsqrt(variance + _EPSILON)
    return x * scale.reshape(shape) + (shift - mean * scale).reshape(shape)
