"""What a proposer sees, and what it does."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class View:
    """A pool as it stands.

    Attributes:
        vectors: float32 [N, D], of length 1, of all samples that may be trained on.
        labelled: int64 [n], places of those that have been asked.
        free: int64 [m], places of the others, ascending.
        probabilities: float64 [m, K] of the free ones by the model; None as long as there is none.
        classes: how many classes have been seen.
    """

    vectors: np.ndarray
    labelled: np.ndarray
    free: np.ndarray
    probabilities: np.ndarray | None
    classes: int


class Proposer(Protocol):
    """Chooses; stateless."""

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        """Places int64 of up to `count` different free samples, the most wanted first; fewer only if fewer are free.

        Args:
            view: of the pool.
            count: how many.
            rng: all that may be random comes from it.
        """


def nearness(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Squared distances [a, b] of unit vectors."""
    found: np.ndarray = np.maximum(2.0 - 2.0 * some @ others.T, 0.0)
    return found
