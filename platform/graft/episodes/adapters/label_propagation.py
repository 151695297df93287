"""Labels that spread over a graph of labelled and unlabelled samples."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from graft.episodes.adapters.protocol import ClosedForm, Head, one_hot


class LabelPropagation(ClosedForm):
    """F = (I − α S)⁻¹ Y over support and pool, S = D^−½ W D^−½, W of cosines of nearest neighbours (Zhou, Bousquet,
    Lal, Weston & Schölkopf, *Learning with local and global consistency*, NeurIPS 2004; α is theirs).

    Transductive: the pool changes its answers, and it is given one only on request. A query is answered from its own
    similarities to the nodes, Σⱼ w(q, xⱼ) Fⱼ (Delalleau, Bengio & Le Roux, AISTATS 2005, equation 8), so that queries
    outside of the pool do not change one another's answers.

    Args:
        alpha: share of a node's label that comes from its neighbours.
        neighbours: of each node.
        sharpness: power of the cosines.
    """

    uses_pool: ClassVar[bool] = True
    is_learned_through: ClassVar[bool] = False

    def __init__(self, alpha: float = 0.8, neighbours: int = 10, sharpness: float = 4.0) -> None:
        super().__init__()
        self.alpha, self.neighbours, self.sharpness = alpha, neighbours, sharpness

    @torch.no_grad()
    def head(self, vectors: Tensor, labels: Tensor, ways: int, pool: Tensor | None = None) -> Head:
        """Solve one system over all nodes."""
        nodes = functional.normalize(vectors if pool is None else torch.cat([vectors, pool]), dim=-1)
        near = self._near(nodes, nodes, own=True)
        near = torch.maximum(near, near.T)
        root = near.sum(dim=1).clamp_min(1e-8).rsqrt()
        given = torch.zeros(len(nodes), ways)
        given[: len(labels)] = one_hot(labels, ways)
        given /= given.sum(dim=0).clamp_min(1)
        system = torch.eye(len(nodes)) - self.alpha * (root[:, None] * near * root)
        spread = torch.linalg.solve(system, given)
        spread = spread / spread.sum(dim=0).clamp_min(1e-8)

        def answer(queries: Tensor) -> Tensor:
            weights = self._near(functional.normalize(queries, dim=-1), nodes, own=False)
            told = weights @ spread
            shares: Tensor = told / told.sum(dim=1, keepdim=True).clamp_min(1e-12)
            return shares.clamp_min(1e-12).log()

        return answer

    def _near(self, of: Tensor, to: Tensor, own: bool) -> Tensor:
        """Weights [n, nodes] of the nearest nodes; a node is no neighbour of itself."""
        weights = (of @ to.T).clamp_min(0) ** self.sharpness
        if own:
            weights.fill_diagonal_(0)
        count = min(self.neighbours, len(to) - own)
        lowest = weights.topk(max(count, 1), dim=1).values[:, -1:]
        return weights * (weights >= lowest)
