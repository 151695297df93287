"""The model of an exploration: a linear head, solved on the features of a frozen backbone."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graft.data.targets import Targets
from graft.spec.components.head import LogisticHead
from graft.transfer.closed_form.logistic import solve
from graft.transfer.closed_form.problem import Fitting, LinearTargets, Solution

# Fixed: folds over labels that were chosen actively say nothing.
STRENGTH = 0.1


@dataclass(frozen=True)
class SolvedHead:
    """A head that answers.

    Attributes:
        features: float32 [N, F] of the pool.
        solution: of the head.
    """

    features: Tensor
    solution: Solution

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """float64 [n, K]."""
        state = self.solution.state
        logits = self.features[torch.from_numpy(rows)] @ state["1.weight"].T + state["1.bias"]
        found: np.ndarray = logits.double().softmax(dim=1).numpy()
        return found


@dataclass(frozen=True)
class HeadFit:
    """Solves logistic regression on rows of a pool.

    Attributes:
        features: float32 [N, F].
        strength: C.
    """

    features: Tensor
    strength: float = STRENGTH

    @classmethod
    def of(cls, features: np.ndarray) -> "HeadFit":
        """On features [N, F]."""
        return cls(torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32)))

    def __call__(self, rows: np.ndarray, codes: np.ndarray, classes: int) -> SolvedHead:
        """The head of some labelled rows."""
        targets = Targets(codes, tuple(map(str, range(classes))))
        linear = LinearTargets("softmax", targets.values, classes, targets.values)
        fitting = Fitting(self.features[torch.from_numpy(rows)].contiguous(), linear)
        return SolvedHead(self.features, solve(LogisticHead(strength=self.strength), fitting))
