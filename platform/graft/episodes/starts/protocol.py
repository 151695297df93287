"""What every start is."""

from typing import Any

import torch
from torch import Tensor, nn

from graft.episodes.samples import Inputs

Moments = tuple[Any, ...]
"""Means and variances that a pass has normalised by, in the order of its layers; empty where nothing is normalised."""


class Start(nn.Module):
    """Inputs of n samples to vectors [n, width].

    A start that normalises is told by which moments, and answers by which it did. They are those of the support of a
    task, or fixed; never those of the queries: the answer to one query must not depend on the others.

    Attributes:
        width: length of a vector.
        views: which inputs it reads.
    """

    width: int
    views: tuple[str, ...]

    def forward(self, inputs: Inputs, moments: Moments | None = None) -> tuple[Tensor, Moments]:
        """Vectors [n, width], and the moments that were used.

        Args:
            inputs: of n samples.
            moments: None takes those of these inputs.
        """
        raise NotImplementedError

    def fixed(self) -> Moments:
        """The moments that stay the same for all tasks."""
        return ()

    @torch.no_grad()
    def settle(self, inputs: Inputs) -> None:
        """Fix what is not learned by gradient, such as means, to those of some training samples."""

    @torch.no_grad()
    def embed(self, inputs: Inputs, at_once: int = 1024) -> Tensor:
        """Vectors of many samples under the fixed moments, a portion at a time."""
        count = len(next(iter(inputs.values())))
        portions = (
            {name: view[first : first + at_once] for name, view in inputs.items()} for first in range(0, count, at_once)
        )
        return torch.cat([self(one, self.fixed())[0] for one in portions])
