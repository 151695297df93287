"""Several starts side by side."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.episodes.samples import Inputs
from graft.episodes.starts.protocol import Moments, Start


class Concatenation(Start):
    """Vectors of several starts, each centred and of length 1, beside one another: the cosine is the mean of theirs.

    Each part is weighed by √wᵢ, so that cosines are averaged with weights wᵢ, which sum to 1.

    Args:
        parts: the starts.
        weights: of each, not negative; alike if left out.
    """

    weights: Tensor

    def __init__(self, parts: Sequence[Start], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.width = sum(one.width for one in parts)
        self.views = tuple(dict.fromkeys(view for one in parts for view in one.views))
        given = torch.ones(len(parts)) if weights is None else torch.tensor([float(one) for one in weights])
        self.register_buffer("weights", given / given.sum())
        for place, one in enumerate(parts):
            self.register_buffer(f"mean{place}", torch.zeros(one.width))

    def forward(self, inputs: Inputs, moments: Moments | None = None) -> tuple[Tensor, Moments]:
        """Vectors [n, Σ widths] of length 1."""
        found, used = [], []
        for place, part in enumerate(self.parts):
            vectors, own = part(inputs, None if moments is None else moments[place])
            unit = functional.normalize(vectors - getattr(self, f"mean{place}"), dim=-1)
            found.append(unit * self.weights[place].sqrt())
            used.append(own)
        return torch.cat(found, dim=-1), tuple(used)

    def fixed(self) -> Moments:
        """Those of its parts."""
        return tuple(one.fixed() for one in self.parts)  # type: ignore[operator]

    @torch.no_grad()
    def settle(self, inputs: Inputs) -> None:
        """Settle each part, then take the means of what they give."""
        for place, part in enumerate(self.parts):
            part.settle(inputs)  # type: ignore[operator]
            getattr(self, f"mean{place}").copy_(part.embed(inputs).mean(dim=0))  # type: ignore[operator]
