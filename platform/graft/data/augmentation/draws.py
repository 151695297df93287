"""Random numbers that belong to a sample: a function of seed, stream, purpose and row, and of nothing else.

A generator that is read batch by batch gives a sample other numbers as soon as batches are cut otherwise. These numbers
are computed from a counter instead: nothing is read in order, so no batch, process or resume can change them.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graft.core.seeds import derive_key

Rows = NDArray[np.int64]

_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Draws:
    """The random numbers of some samples.

    Attributes:
        rows: which samples, by their rows in the dataset, int64 [B].
        seed: root of all randomness.
        stream: what tells one pass over the samples from another, such as ``("augment", epoch)``.
    """

    rows: Rows
    seed: int
    stream: tuple[str | int, ...]

    @classmethod
    def of_epoch(cls, rows: Rows, seed: int, epoch: int) -> "Draws":
        """Those of an epoch: others in each."""
        return cls(rows, seed, ("augment", epoch))

    @classmethod
    def of_view(cls, rows: Rows, seed: int, view: int) -> "Draws":
        """Those of a view that epochs rotate through."""
        return cls(rows, seed, ("view", view))

    def uniform(self, purpose: str, count: int = 1) -> NDArray[np.float64]:
        """Numbers in [0, 1), float64 [count, B].

        The generator is splitmix64 (Steele, Lea, Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014):
        number i of row r is mix(k_r + (i + 1) γ) with k_r = mix(k + (r + 1) γ), the golden gamma γ, and a key k from a
        hash of seed, stream and purpose. The first numbers stay what they are if more are asked for.

        Args:
            purpose: what they are for; other purposes have other numbers, so no operation can disturb another.
            count: numbers for each sample.
        """
        key = np.uint64(derive_key(self.seed, *self.stream, purpose))
        with np.errstate(over="ignore"):
            own = _mixed(key + (self.rows.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN))
            steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
            bits = _mixed(own + steps[:, None])
        # The upper 53 bits are all that a float64 can hold.
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def take(self, places: Rows) -> "Draws":
        """Those of the samples at some places of the batch."""
        return replace(self, rows=self.rows[places])


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64: a bijection in which every bit of the input moves half of the output's."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
