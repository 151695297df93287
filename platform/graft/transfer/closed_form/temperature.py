"""The scale that turns scores into logits."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graft.transfer.closed_form.problem import LinearTargets

# Of scores between 0 and 1: from "nothing is known" to "it is certain".
_SMALLEST, _LARGEST, _ROUNDS = 1e-2, 1e4, 40


def temperature_of(scores: Tensor, prior: Tensor, targets: LinearTargets, weights: Tensor) -> float:
    """The scale s ≥ 0 under which the targets are likeliest, with logits ``prior + s · scores``.

    One over the temperature of Guo, Pleiss, Sun & Weinberger (ICML 2017). The loss is convex in s, so golden-section
    search over log s finds it.

    Args:
        scores: [N, K], of rows that the model has not seen.
        prior: [K].
        targets: of the same rows, and how outputs are read.
        weights: of the same rows.
    """
    wanted = torch.from_numpy(np.ascontiguousarray(targets.values))

    def loss(scale: float) -> float:
        logits = prior + scale * scores
        if targets.link == "softmax":
            each = logits.logsumexp(dim=1) - logits.gather(1, wanted[:, None])[:, 0]
        else:
            each = functional.binary_cross_entropy_with_logits(logits, wanted.float(), reduction="none").sum(dim=1)
        return float(each.double() @ weights.double())

    return golden_section(loss, _SMALLEST, _LARGEST)


def golden_section(loss: Callable[[float], float], low: float, high: float) -> float:
    """The minimum of a function with one minimum between two positive numbers, on a logarithmic scale."""
    ratio = (5**0.5 - 1) / 2
    left, right = float(np.log(low)), float(np.log(high))
    inner = [right - ratio * (right - left), left + ratio * (right - left)]
    values = [loss(float(np.exp(one))) for one in inner]
    for _ in range(_ROUNDS):
        if values[0] <= values[1]:
            right, inner, values = inner[1], [0.0, inner[0]], [0.0, values[0]]
            inner[0] = right - ratio * (right - left)
            values[0] = loss(float(np.exp(inner[0])))
        else:
            left, inner, values = inner[0], [inner[1], 0.0], [values[1], 0.0]
            inner[1] = left + ratio * (right - left)
            values[1] = loss(float(np.exp(inner[1])))
        if right - left < 1e-2:
            break
    return float(np.exp((left + right) / 2))
