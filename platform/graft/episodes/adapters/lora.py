"""Adaptation by updates of low rank."""

import math

import torch
from torch import Tensor, nn

from graft.episodes.adapters.inner_loop import FIVE_STEPS, InnerSteps, Weights, moved, split, support_loss
from graft.episodes.adapters.maml import Maml
from graft.episodes.adapters.protocol import Support, one_hot
from graft.episodes.starts.protocol import Start

_DOWN, _UP = "A.", "B."


class Lora(Maml):
    """W₀ + B A with A of r rows and B of r columns; K gradient steps of A, B and the head, W₀ stays as it is (Hu and
    others, *LoRA: low-rank adaptation of large language models*, ICLR 2022, equation 3 with α = r).

    B begins at zero in every task, so that the first answer is that of the start; A begins where it was meta-learned,
    drawn at random at first. A convolution is the matrix of its output channels. Parameters of one dimension stay.

    Args:
        start: what is adapted; its shapes decide those of A and B.
        inner: the steps.
        rank: r, at most that of the matrix.
        from_prototypes: as for `Maml`.
    """

    def __init__(
        self, start: Start, inner: InnerSteps = FIVE_STEPS, rank: int = 4, from_prototypes: bool = True
    ) -> None:
        super().__init__(start, inner, from_prototypes=from_prototypes)
        matrices = {name: one.flatten(1).shape for name, one in start.named_parameters() if one.ndim > 1}
        self.matrices = tuple(matrices)
        self.down = nn.ParameterList(
            torch.randn(min(rank, outputs, inputs), inputs) / math.sqrt(inputs) for outputs, inputs in matrices.values()
        )

    def adapted(self, start: Start, support: Support) -> Weights:
        """All weights of the task."""
        named: Weights = dict(start.named_parameters())
        begun = self.head.begin(start(support.inputs)[0], one_hot(support.labels, support.ways))
        for name, down in zip(self.matrices, self.down, strict=True):
            begun |= {_DOWN + name: down, _UP + name: down.new_zeros(len(named[name]), len(down))}
        found = moved(
            lambda now: support_loss(start, self._whole(named, now), support.inputs, support.labels),
            begun,
            self.rates(),
            self.inner,
        )
        return self._whole(named, found)

    def _whole(self, named: Weights, now: Weights) -> Weights:
        """The start's weights with the updates in them, and the head."""
        updated: dict[str, Tensor] = {
            name: named[name] + (now[_UP + name] @ now[_DOWN + name]).reshape(named[name].shape)
            for name in self.matrices
        }
        head = split({name: one for name, one in now.items() if not name.startswith((_DOWN, _UP))})[1]
        return named | updated | head
