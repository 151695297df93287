"""From maps or states to one vector a sample: average, maximum, both, generalised mean. No parameters."""

import torch
from torch import Tensor, nn

from graft.models.backbone import Hidden, Masked
from graft.spec.components.structure import Pooling

# Radenović, Tolias, Chum (TPAMI 2019): p_k = 3 of Σ x^p, where training starts; here it stays.
POWER = 3.0
# Of maps that are zero almost everywhere, the root has no gradient.
LEAST = 1e-6


class Pool(nn.Module):
    """One of the poolings over all positions that hold something.

    Args:
        kind: ``avg``, ``max``, ``avg_max`` (both, one behind the other), or ``gem`` (mean of x³, cube root).
        width_last: maps are [B, H, W, C].
    """

    def __init__(self, kind: Pooling, width_last: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.width_last = width_last

    def forward(self, hidden: Hidden) -> Tensor:
        """[B, C], or [B, 2 C] for both, of maps [B, C, H, W] or [B, H, W, C] or of states [B, L, C]."""
        states, mask = self._states(hidden)
        # bfloat16 cannot even count to 257.
        states = states.to(torch.promote_types(states.dtype, torch.float32))
        if self.kind == "avg":
            return _mean(states, mask)
        if self.kind == "max":
            return _largest(states, mask)
        if self.kind == "avg_max":
            return torch.cat([_mean(states, mask), _largest(states, mask)], dim=1)
        return _mean(states.clamp(min=LEAST).pow(POWER), mask).pow(1 / POWER)

    def factor(self) -> int:
        """How many numbers there are for each channel."""
        return 2 if self.kind == "avg_max" else 1

    def _states(self, hidden: Hidden) -> tuple[Tensor, Tensor | None]:
        """[B, positions, C], and which of them hold something."""
        if isinstance(hidden, Masked):
            return hidden.states, hidden.mask
        if hidden.ndim == 4 and not self.width_last:
            return hidden.flatten(2).transpose(1, 2), None
        return hidden.flatten(1, -2), None


def _mean(states: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return states.mean(dim=1)
    # A where, because a masked state may be anything, and zero times infinity is not zero.
    kept = torch.where(mask[..., None], states, torch.zeros_like(states))
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def _largest(states: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return states.amax(dim=1)
    lowest = torch.full_like(states, torch.finfo(states.dtype).min)
    found = torch.where(mask[..., None], states, lowest).amax(dim=1)
    return torch.where(mask.any(dim=1, keepdim=True), found, torch.zeros_like(found))
