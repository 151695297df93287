"""Ridge regression on the support, with exact leave-one-out."""

import math

import torch
from torch import Tensor, nn

from graft.episodes.adapters.protocol import ClosedForm, Head, one_hot


class RidgeRegression(ClosedForm):
    """W = Xᵀ (X Xᵀ + λ I)⁻¹ Y on vectors X [S, D] with a constant beside them, Y one-hot; logits are s · x W + b.

    R2D2 (Bertinetto, Henriques, Torr & Vedaldi, *Meta-learning with differentiable closed-form solvers*, ICLR 2019,
    equation 6, by Woodbury's identity a system of S × S); λ, s and b are meta-learned.

    Args:
        penalty: λ at first.
        scale: s at first.
    """

    def __init__(self, penalty: float = 1.0, scale: float = 10.0) -> None:
        super().__init__()
        self.log_penalty = nn.Parameter(torch.tensor(math.log(penalty)))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def head(self, vectors: Tensor, labels: Tensor, ways: int, pool: Tensor | None = None) -> Head:
        """Solve one system of S × S."""
        known = _with_constant(vectors)
        weights = known.T @ torch.linalg.solve(self._system(known), one_hot(labels, ways))
        return lambda queries: self.log_scale.exp() * (_with_constant(queries) @ weights)

    def left_out(self, vectors: Tensor, labels: Tensor, ways: int) -> Tensor:
        """Exact, from one inverse: ŷ₋ᵢ = yᵢ − (G⁻¹ Y)ᵢ / (G⁻¹)ᵢᵢ with G = X Xᵀ + λ I (Rifkin & Lippert, *Notes on
        regularized least squares*, 2007, equation 8)."""
        wanted = one_hot(labels, ways)
        inverse = torch.linalg.inv(self._system(_with_constant(vectors)))
        told: Tensor = wanted - (inverse @ wanted) / inverse.diagonal().unsqueeze(-1)
        return self.log_scale.exp() * told

    def _system(self, known: Tensor) -> Tensor:
        system: Tensor = known @ known.T + self.log_penalty.exp() * torch.eye(len(known), device=known.device)
        return system


def _with_constant(vectors: Tensor) -> Tensor:
    return torch.cat([vectors, torch.ones_like(vectors[..., :1])], dim=-1)
