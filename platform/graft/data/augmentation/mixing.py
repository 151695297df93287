"""Samples that are mixed with one another: who with whom, and what becomes of their targets.

A sample's partner is the one that follows it in the order of the epoch, the last one's the first. That order is the
same for every number of processes, and a process needs one sample more than its part of a batch to mix all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from graft.data.augmentation.draws import Draws, Rows
from graft.data.batch import Batch


class Mixer(Protocol):
    """Mixes samples."""

    def apply(self, own: Batch, others: Batch, draws: Draws) -> tuple[Batch, Tensor]:
        """Mixed copies, on the same device, and the weight of each sample's own target, float64 [B] on the CPU.

        What becomes of a sample depends on it, its partner and its own random numbers alone, to the last bit.

        Args:
            own: samples [B]; not changed.
            others: their partners, in the same order; not changed.
            draws: the random numbers of the samples.
        """


@dataclass(frozen=True)
class Mixing:
    """How a training mixes its samples.

    Attributes:
        mixer: mixes them.
        soften: targets [B, …] in a form of which a weighted mean makes sense.
    """

    mixer: Mixer
    soften: Callable[[Tensor], Tensor]

    def apply(self, batch: Batch, targets: Tensor, draws: Draws) -> tuple[Batch, Tensor]:
        """Mix every sample but the last with the one behind it.

        Args:
            batch: B + 1 samples.
            targets: theirs.
            draws: of the first B.

        Returns:
            B samples, and their targets, softened.
        """
        own, others = (Batch({name: one[part] for name, one in batch.items()}) for part in (FIRST, SECOND))
        mixed, weights = self.mixer.apply(own, others, draws)
        soft = self.soften(targets)
        kind = torch.float32 if soft.device.type == "mps" else torch.float64
        weights = weights.to(soft.device, kind).view(-1, *[1] * (soft.ndim - 1))
        blended = weights * soft[FIRST] + (1 - weights) * soft[SECOND]
        return mixed, blended.to(soft.dtype)


FIRST, SECOND = slice(None, -1), slice(1, None)


def with_next(order: Rows, start: int, count: int) -> Rows:
    """Some rows of an epoch, and the one that follows the last of them, [count + 1]."""
    return order[np.arange(start, start + count + 1) % len(order)]
