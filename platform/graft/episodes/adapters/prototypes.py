"""The nearest class mean."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.episodes.adapters.protocol import ClosedForm, Head, one_hot


class Prototypes(ClosedForm):
    """Logits s · cos(z, c_k), or −s · ‖z − c_k‖² / D, with c_k the mean of class k (Snell, Swersky & Zemel,
    *Prototypical networks*, NeurIPS 2017, equations 1 and 2); s is meta-learned.

    Args:
        metric: cosine or euclidean.
        scale: s at first.
    """

    def __init__(self, metric: Literal["cosine", "euclidean"] = "cosine", scale: float = 10.0) -> None:
        super().__init__()
        self.metric = metric
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def head(self, vectors: Tensor, labels: Tensor, ways: int, pool: Tensor | None = None) -> Head:
        """Means of the classes."""
        members = one_hot(labels, ways)
        means = members.T @ vectors / members.sum(dim=0).clamp_min(1).unsqueeze(-1)
        return self._about(means)

    def left_out(self, vectors: Tensor, labels: Tensor, ways: int) -> Tensor:
        """Exact, from the sums: the mean of its own class is known to each sample without itself."""
        members = one_hot(labels, ways)
        sums, counts = members.T @ vectors, members.sum(dim=0)
        rows = torch.arange(len(labels))
        logits = self._about(sums / counts.clamp_min(1).unsqueeze(-1))(vectors)
        own = (sums[labels] - vectors) / (counts[labels] - 1).clamp_min(1).unsqueeze(-1)
        logits[rows, labels] = self._similarity(vectors, own)
        return logits

    def _about(self, means: Tensor) -> Head:
        if self.metric == "cosine":
            unit = functional.normalize(means, dim=-1)
            return lambda queries: self.log_scale.exp() * (functional.normalize(queries, dim=-1) @ unit.T)
        return lambda queries: self._similarity(queries.unsqueeze(-2), means)

    def _similarity(self, one: Tensor, other: Tensor) -> Tensor:
        if self.metric == "cosine":
            return self.log_scale.exp() * functional.cosine_similarity(one, other, dim=-1)
        return -self.log_scale.exp() * (one - other).square().mean(dim=-1)
