"""Samples that count more than others, in every loss alike."""

from torch import Tensor


def weighted_mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    """The mean over samples of each one's loss times its weight; its loss is the mean over its outputs.

    Args:
        losses: [B] or [B, K].
        weights: [B]; 1 for all where None.
    """
    if weights is None:
        return losses.mean()
    each = losses if losses.ndim == 1 else losses.mean(dim=1)
    return (each * weights.to(each.dtype)).mean()
