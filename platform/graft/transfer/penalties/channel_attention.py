"""Which channels of a source network tell something about the targets, for DELTA."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from graft.transfer.freezing import AdaptedModel
from graft.transfer.penalties.activations import Examples, watching

BATCHES = 4
"""So many batches of training samples are looked at."""
# How strongly the ridge regression is held back, in units of the features' mean variance.
_RIDGE = 0.1


def channel_attention(source: AdaptedModel, blocks: Sequence[int], examples: Examples) -> dict[int, Tensor]:
    """Weights of the channels of some blocks, by the index of the block; their mean is 1.

    W = C · softmax(Δ / σ(Δ)) over the C channels, where Δ is what the squared error of a ridge regression of the
    features is estimated to rise by when a channel is zero: −Σ g · FM over samples and positions.

    Args:
        source: the network as it was pretrained, without a head.
        blocks: in order, at least one.
        examples: training samples.
    """
    head = _fitted(source, examples)
    effects: dict[int, Tensor] = {}
    for inputs, targets in islice(examples.batches(), BATCHES):
        with torch.enable_grad(), _with_graph(source.network.backbone.blocks[blocks[0]]):
            with watching(source.network, blocks) as seen:
                outputs = source(inputs).double() @ head.weight + head.bias
            loss = (outputs - head.numbers(targets)).square().sum()
            gradients = torch.autograd.grad(loss, [seen.blocks[index] for index in blocks])
        for index, gradient in zip(blocks, gradients, strict=True):
            effect = -by_channel((gradient * seen.blocks[index]).detach().double()).sum(dim=(0, 1))
            effects[index] = effects[index] + effect if index in effects else effect
    return {index: _normalised(effect) for index, effect in effects.items()}


def by_channel(values: Tensor) -> Tensor:
    """Maps [B, C, H, W] or [B, H, W, C], or states [B, L, C], as [B, positions, C].

    Maps are square, so where the last two sides differ and the first two do not, channels come last.
    """
    is_map = values.ndim == 4
    channels_first = is_map and not (values.shape[1] == values.shape[2] != values.shape[3])
    if channels_first:
        return values.flatten(2).transpose(1, 2)
    return values.flatten(1, 2) if is_map else values.reshape(len(values), -1, values.shape[-1])


@dataclass(frozen=True)
class _Head:
    """A ridge regression: weight [F, K], bias [K], and the levels of the targets where these are codes."""

    weight: Tensor
    bias: Tensor
    levels: np.ndarray | None

    def numbers(self, targets: np.ndarray) -> Tensor:
        return _numbers(targets, self.levels).to(self.weight.device)


def _fitted(source: AdaptedModel, examples: Examples) -> _Head:
    with torch.no_grad():
        found = [(source(inputs).double(), targets) for inputs, targets in islice(examples.batches(), BATCHES)]
    features = torch.cat([one for one, _ in found])
    targets = np.concatenate([one for _, one in found])
    levels = np.unique(targets) if targets.ndim == 1 and targets.dtype.kind in "iu" else None
    numbers = _numbers(targets, levels).to(features.device)
    mean, middle = features.mean(dim=0), numbers.mean(dim=0)
    centred = features - mean
    # The dual form: there are fewer rows than features, as a rule.
    gram = centred @ centred.T
    gram += torch.eye(len(gram), dtype=gram.dtype, device=gram.device) * (_RIDGE * gram.trace() / len(gram) + 1e-12)
    weight = centred.T @ torch.linalg.solve(gram, numbers - middle)
    return _Head(weight, middle - mean @ weight, levels)


def _numbers(targets: np.ndarray, levels: np.ndarray | None) -> Tensor:
    """Targets as float64 [n, K]: codes as indicators."""
    if levels is not None:
        return torch.from_numpy((targets[:, None] == levels).astype(np.float64))
    return torch.from_numpy(targets.reshape(len(targets), -1).astype(np.float64))


def _normalised(effect: Tensor) -> Tensor:
    """Channel weights of mean 1; alike where no channel stands out."""
    deviation = effect.std(correction=0)
    if not torch.isfinite(deviation) or deviation == 0:
        return torch.ones_like(effect, dtype=torch.float32)
    shares = ((effect - effect.max()) / deviation).exp()
    return (shares / shares.mean()).float()


@contextmanager
def _with_graph(block: nn.Module) -> Iterator[None]:
    """While it is entered, what follows a block can be differentiated by what the block gives."""
    block.requires_grad_(True)
    try:
        yield
    finally:
        block.requires_grad_(False)
