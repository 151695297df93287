"""DELTA: feature maps stay near those of the source network."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from graft.data.batch import Batch
from graft.models.network import Network
from graft.spec.components.activation_penalty import Delta
from graft.transfer.freezing import AdaptedModel
from graft.transfer.penalties.activations import Activations, Examples, watching
from graft.transfer.penalties.channel_attention import by_channel, channel_attention


class DeltaPenalty:
    """Feature maps are pulled towards those of the source network (Li et al., DELTA, ICLR 2019, their equation 4).

    α/2 · mean over the batch of Σ_j Σ_c W_jc · ‖FM_jc(w) − FM_jc(w⁰)‖² / positions, with α = `strength`, j the compared
    blocks, c their channels, and W_jc of mean 1 over the channels of a block. With attention W_j is the softmax of what
    a loss rises by without channel c. The paper takes each filter away and measures; here it is the first-order
    estimate of the same (`channel_attention`), because filters number thousands.

    The source network runs in eval mode, as the authors' does, so with batch norm the term is not zero at the start.

    Memory: a second copy of the trained blocks' weights, and the compared blocks' maps twice. Time: one forward pass a
    step without a graph (from stored features, of the trained blocks only; else of all), about a third of a step; with
    attention two passes and a backward pass over four batches of training samples before the first step.
    """

    def __init__(self, spec: Delta, model: AdaptedModel, blocks: Sequence[int]) -> None:
        self._alpha, self._attention = spec.strength, spec.attention
        self._model, self._source = model, _source_of(model)
        self.blocks: Sequence[int] = _spread(blocks, spec.blocks)
        self._weights: dict[int, Tensor] = {}

    def follow_weights(self) -> None:
        """The copy of the source network goes where the model has gone, with the same memory layout."""
        theirs = dict(self._model.network.backbone.named_parameters())
        device = next(iter(theirs.values())).device
        for name, parameter in self._source.network.backbone.named_parameters():
            if parameter is not theirs[name]:
                parameter.data = torch.empty_like(theirs[name].detach()).copy_(parameter.detach())
        self._source.to(device)

    def fit(self, examples: Examples) -> None:
        """Learn which channels tell something about the targets."""
        if self._attention and self.blocks:
            self._weights = channel_attention(self._source, self.blocks, examples)

    def term(self, inputs: Batch, targets: Tensor, seen: Activations) -> Tensor:
        """α/2 · the weighted squared differences, mean over the samples."""
        if not self.blocks:
            return seen.pooled.new_zeros(())
        with torch.no_grad(), watching(self._source.network, self.blocks) as source:
            self._source(inputs)
        pairs = [(index, seen.blocks[index], source.blocks[index]) for index in self.blocks]
        terms = [_difference(ours, theirs, seen.mask, self._weights.get(index)) for index, ours, theirs in pairs]
        return self._alpha / 2 * torch.stack(terms).sum()


def _source_of(model: AdaptedModel) -> AdaptedModel:
    """The network as it is now, for good; what the model has frozen is shared with it."""
    shared = {id(module): module for module in model.frozen_modules()}
    backbone = copy.deepcopy(model.network.backbone, shared)
    source = AdaptedModel(Network(backbone, nn.Identity()), model.cut)
    return source.requires_grad_(False).eval()


def _spread(blocks: Sequence[int], count: int) -> list[int]:
    """So many of the blocks at even distances, the last one among them."""
    if not blocks:
        return []
    ends = np.linspace(0, len(blocks), min(count, len(blocks)) + 1)[1:]
    return [blocks[round(float(end)) - 1] for end in ends]


def _difference(ours: Tensor, theirs: Tensor, mask: Tensor | None, weights: Tensor | None) -> Tensor:
    """Σ_c W_c · mean over positions of the squared difference, mean over the samples."""
    squared = by_channel((ours.float() - theirs.float()).square())
    if mask is not None and mask.shape == squared.shape[:2]:
        kept = mask[..., None].to(squared.dtype)
        by_sample = (squared * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1)
    else:
        by_sample = squared.mean(dim=1)
    return (by_sample if weights is None else by_sample * weights).sum(dim=1).mean()
