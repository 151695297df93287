"""Adaptation of the head alone, on vectors that are meta-learned for it."""

import math

import torch
from torch import nn
from torch.nn import functional

from graft.episodes.adapters.by_gradient import ByGradient
from graft.episodes.adapters.inner_loop import FIVE_STEPS, InnerSteps, TaskHead, Weights, logits_of, moved
from graft.episodes.adapters.protocol import Support, one_hot
from graft.episodes.starts.protocol import Start


class Anil(ByGradient):
    """The inner loop of MAML for the last layer only (Raghu, Raghu, Bengio & Vinyals, *Rapid learning or feature
    reuse?*, ICLR 2020): vectors of the support are made once. Batch normalisation takes the moments of the support.

    Args:
        width: of the start's vectors.
        inner: the steps.
        from_prototypes: whether the head of a task starts from its prototypes.
    """

    def __init__(self, width: int, inner: InnerSteps = FIVE_STEPS, from_prototypes: bool = True) -> None:
        super().__init__()
        self.inner = inner
        self.head = TaskHead(width, from_prototypes)
        self.log_rate = nn.Parameter(torch.tensor(math.log(inner.rate)))

    def adapted(self, start: Start, support: Support) -> Weights:
        """The start as it is, and the head of the task."""
        vectors = start(support.inputs)[0]
        found = moved(
            lambda now: functional.cross_entropy(logits_of(vectors, now), support.labels),
            self.head.begin(vectors, one_hot(support.labels, support.ways)),
            self.log_rate.exp(),
            self.inner,
        )
        return {**dict(start.named_parameters()), **found}
