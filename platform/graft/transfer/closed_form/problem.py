"""What a closed-form head is fitted to, and what comes of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from graft.core.heartbeat import Watch, unwatched

Link = Literal["softmax", "sigmoid", "identity"]
"""How outputs [B, K] are read: as logits of one of K classes, of K labels each by itself, or as values."""

# Outputs that are computed at once: more would not fit beside the features where there are 10,000 of them a row.
OUTPUTS_AT_ONCE = 20_000_000


@dataclass(frozen=True)
class LinearTargets:
    """The targets of a task in the form of a linear model.

    Attributes:
        link: how outputs are read.
        values: int64 [N], the class of each row, for a softmax; else float32 [N, K], labels (0 or 1) or values.
        outputs: their number K.
        strata: what folds keep in proportion: int64 [N], or uint8 [N, L].
    """

    link: Link
    values: np.ndarray
    outputs: int
    strata: np.ndarray

    def at(self, rows: np.ndarray) -> "LinearTargets":
        """Of some rows."""
        return LinearTargets(self.link, self.values[rows], self.outputs, self.strata[rows])


@dataclass(frozen=True)
class Fitting:
    """What a head is fitted on.

    Attributes:
        features: float32 [N, F] on the CPU, of the rows that are trained on.
        targets: of the same rows.
        weights: float32 [N], with a mean of 1; None weighs all alike.
        kin: int64 [N], one number for rows that belong together, such as those of a group: a strength is chosen by
            leaving them out together. None where no row belongs to another.
        seed: of the folds.
        watch: what the rounds of a solver go through, so that one that hangs is noticed.
    """

    features: Tensor
    targets: LinearTargets
    weights: Tensor | None = None
    kin: np.ndarray | None = None
    seed: int = 0
    watch: Watch = unwatched

    def kin_at(self, rows: np.ndarray) -> np.ndarray | None:
        """Of some rows; None where no row belongs to another."""
        return None if self.kin is None else self.kin[rows]

    def portions(self) -> Iterator[slice]:
        """All rows, so many at a time that their outputs fit."""
        return portions(len(self.features), self.targets.outputs)


@dataclass(frozen=True)
class Solution:
    """A fitted head.

    Attributes:
        state: its tensors, by their names in the module that the head's spec builds.
        facts: what was chosen, such as ``C``; they are reported once.
    """

    state: Mapping[str, Tensor]
    facts: Mapping[str, float] = field(default_factory=dict)


Solve = Callable[..., Solution]
"""``solve(spec, fitting)``: what `HeadSpec.solved_by` names."""


def portions(rows: int, outputs: int) -> Iterator[slice]:
    """Slices of so many rows that their outputs can be held at once."""
    each = max(1, OUTPUTS_AT_ONCE // max(outputs, 1))
    yield from (slice(start, start + each) for start in range(0, rows, each))


def ones_like_rows(features: Tensor) -> Tensor:
    """The weights of rows that weigh all alike."""
    return torch.ones(len(features), dtype=torch.float32)
