"""The network of a bag of words: tokens, and pairs of them, counted into hashed columns. Nothing in it has a weight."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.models.backbone import Backbone

PAIR = 0.5
"""What a pair counts beside a token: each token is in two of them."""
# Universal hashing (Carter & Wegman, J. Comput. Syst. Sci. 18, 1979): (a x + b y mod p) mod W. No product reaches 2^63.
_PRIME, _FIRST, _SECOND = 2**31 - 1, 1_103_515_245, 1_717_986_917


class HashedBag(nn.Module):
    """How often each token and each pair of neighbours is in a text, 1 + ln n, in columns that a hash chooses.

    A pair counts `PAIR`. Hashing in place of a vocabulary: Weinberger et al., ICML 2009. A column may stand for several
    terms.

    Args:
        width: columns W.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Counts, float32 [B, W], of ``input_ids`` [B, L] where ``attention_mask`` [B, L] is not 0."""
        given, mask = batch["input_ids"] + 1, batch["attention_mask"].bool()
        pairs = given[:, :-1] * _FIRST + given[:, 1:] * _SECOND
        return self._counted(given * _FIRST, mask) + PAIR * self._counted(pairs, mask[:, :-1] & mask[:, 1:])

    def _counted(self, terms: Tensor, mask: Tensor) -> Tensor:
        """1 + ln n of the terms [B, L] that are there, by their columns."""
        counts = torch.zeros(len(terms), self.width, device=terms.device)
        counts.scatter_add_(1, terms % _PRIME % self.width, mask.to(counts.dtype))
        return torch.where(counts > 0, 1 + counts.clamp_min(1).log(), counts)


class UnitLength(nn.Module):
    """Each row divided by its length, so that long texts weigh no more than short ones; zeros stay zeros."""

    def forward(self, counts: Tensor) -> Tensor:
        """Of [B, W] the same."""
        return functional.normalize(counts, dim=1)


class BagNetwork(nn.Module):
    """Tokens to a bag of length 1.

    Args:
        width: of the bag.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.counts = HashedBag(width)
        self.length = UnitLength()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Features [B, W] of tokens [B, L]."""
        features: Tensor = self.length(self.counts({"input_ids": input_ids, "attention_mask": attention_mask}))
        return features


class BagBackbone(Backbone):
    """A bag as a Backbone: the counts are its stem, their length its only block.

    Args:
        network: its modules are taken over, so use it no more.
    """

    def __init__(self, network: BagNetwork) -> None:
        super().__init__(network.counts, [network.length], nn.Identity(), network.counts.width)
