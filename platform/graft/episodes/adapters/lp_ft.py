"""Adaptation of the head first, and of all weights from there."""

import math

import torch
from torch import nn
from torch.nn import functional

from graft.episodes.adapters.inner_loop import FIVE_STEPS, InnerSteps, Weights, adapted, logits_of, moved
from graft.episodes.adapters.maml import Maml
from graft.episodes.adapters.protocol import Support, one_hot
from graft.episodes.starts.protocol import Start

_TUNE = InnerSteps(2, 0.01)


class LpFt(Maml):
    """Linear probing, then fine-tuning (Kumar, Raghunathan, Jones, Ma & Liang, *Fine-tuning can distort pretrained
    features and underperform out-of-distribution*, ICLR 2022, section 3.4).

    K_lp steps of the head v on vectors B x that stay, then K_ft steps of v and the feature extractor B together, at a
    smaller rate. A head that fits already leaves little gradient that would distort the vectors. Here the beginning of
    both, and both rates, are meta-learned.

    Args:
        start: what is adapted: B.
        probe: the K_lp steps of the head.
        tune: the K_ft steps of all weights.
        from_prototypes: as for `Maml`.
    """

    def __init__(
        self,
        start: Start,
        probe: InnerSteps = FIVE_STEPS,
        tune: InnerSteps = _TUNE,
        from_prototypes: bool = True,
    ) -> None:
        super().__init__(start, tune, from_prototypes=from_prototypes)
        self.probe = probe
        self.log_probe_rate = nn.Parameter(torch.tensor(math.log(probe.rate)))

    def adapted(self, start: Start, support: Support) -> Weights:
        """All weights of the task."""
        vectors, labels = start(support.inputs)[0], support.labels
        begun = self.head.begin(vectors, one_hot(labels, support.ways))
        head = moved(
            lambda now: functional.cross_entropy(logits_of(vectors, now), labels),
            begun,
            self.log_probe_rate.exp(),
            self.probe,
        )
        weights = {**dict(start.named_parameters()), **head}
        return adapted(start, weights, (support.inputs, labels), self.rates(), self.inner)
