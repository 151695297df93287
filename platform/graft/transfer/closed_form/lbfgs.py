"""L-BFGS for smooth, strictly convex functions whose curvature is roughly known (Liu & Nocedal, 1989)."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from graft.core.heartbeat import Watch, unwatched

Objective = Callable[[Tensor], tuple[float, Tensor]]
"""``value, gradient = objective(x)``."""

_MEMORY = 10
_SUFFICIENT = 1e-4
_HALVINGS = 20


@dataclass(frozen=True)
class Ending:
    """When to stop.

    Attributes:
        rounds: at most.
        gradient: largest entry of the gradient, in the scaled coordinates, below which the minimum is reached.
    """

    rounds: int = 200
    gradient: float = 1e-5


def minimise(objective: Objective, start: Tensor, ending: Ending = Ending(), watch: Watch = unwatched) -> Tensor:
    """The minimum, as far as float32 tells it.

    Args:
        objective: value and gradient; the caller scales its coordinates so that the curvature is about 1 in all.
        start: of any shape.
        ending: when to stop.
        watch: what the rounds go through.
    """
    point, (value, gradient) = start, objective(start)
    pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=_MEMORY)
    for _ in watch(range(ending.rounds)):
        if float(gradient.abs().max()) < ending.gradient:
            break
        direction = -_times_inverse_hessian(gradient, pairs)
        slope = float((direction * gradient).sum())
        found = _search(objective, point, value, direction, slope) if slope < 0 else None
        if found is None:
            break  # rounding errors are all that is left
        new_point, new_value, new_gradient = found
        step, change = new_point - point, new_gradient - gradient
        curvature = float((step * change).sum())
        if curvature > 1e-10 * float((change * change).sum()):
            pairs.append((step, change, curvature))
        point, value, gradient = new_point, new_value, new_gradient
    return point


def _search(
    objective: Objective, point: Tensor, value: float, direction: Tensor, slope: float
) -> tuple[Tensor, float, Tensor] | None:
    """Half as far until the function falls enough; None if it never does."""
    length = 1.0
    for _ in range(_HALVINGS):
        candidate = point + length * direction
        new_value, gradient = objective(candidate)
        if new_value <= value + _SUFFICIENT * length * slope:
            return candidate, new_value, gradient
        length /= 2
    return None


def _times_inverse_hessian(gradient: Tensor, pairs: "deque[tuple[Tensor, Tensor, float]]") -> Tensor:
    """The two loops of Nocedal & Wright, algorithm 7.4."""
    found, factors = gradient.clone(), []
    for step, change, curvature in reversed(pairs):
        factor = float((step * found).sum()) / curvature
        found -= factor * change
        factors.append(factor)
    if pairs:
        _, change, curvature = pairs[-1]
        found *= curvature / float((change * change).sum())
    for (step, change, curvature), factor in zip(pairs, reversed(factors), strict=True):
        found += step * (factor - float((change * found).sum()) / curvature)
    return torch.nan_to_num(found)
