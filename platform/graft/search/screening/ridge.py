"""Ridge regression whose left-out errors are exact."""

import numpy as np

from graft.search.screening.decomposed import Decomposed, Floats
from graft.search.screening.targets import Targets

# Of the mean variance of a component: from nearly none to nearly all shrunk away.
PENALTIES = tuple(float(10.0**power) for power in range(-5, 4))
_LEAST = 1e-9


def ridge(sample: Decomposed, targets: Targets) -> float:
    """Of classes the share of rows that a ridge regression without them tells right, of values the mean R² of columns.

    min ‖Y − X W − b‖² + n λ ‖W‖² with a free bias b; λ is the one of `PENALTIES` with the least squared error of
    left-out rows, yᵢ − ŷ₋ᵢ = (yᵢ − ŷᵢ) / (1 − hᵢ), with hᵢ the leverage (Rifkin & Lippert 2007, equation 8). No feature
    is scaled, so the score does not depend on the basis. `graft.transfer.closed_form.ridge` solves the head of a trial;
    this one ranks.
    """
    told = left_out(sample, targets)
    if targets.asked == "classes":
        return float(np.mean(told.argmax(axis=1) == targets.columns.argmax(axis=1)))
    # What the mean of the others would have told, for each row.
    rows = targets.rows
    blind = np.square((targets.columns - targets.columns.mean(axis=0)) * (rows / (rows - 1))).sum(axis=0)
    errors = np.square(told - targets.columns).sum(axis=0)
    return float(np.mean(1 - errors / np.maximum(blind, _LEAST)))


def left_out(sample: Decomposed, targets: Targets) -> Floats:
    """What each row is told to be by the best of the regressions that have not seen it, [N, K]."""
    found = [left_out_with(sample, targets, penalty) for penalty in PENALTIES]
    errors = [float(np.square(told - targets.columns).sum()) for told in found]
    return found[int(np.argmin(errors))]


def left_out_with(sample: Decomposed, targets: Targets, penalty: float) -> Floats:
    """The same for one penalty, as a share of the mean variance of the components."""
    spectrum, rows = sample.centred, sample.rows
    centred = targets.columns - targets.columns.mean(axis=0)
    scale = float(spectrum.squares.mean()) if len(spectrum.squares) else 1.0
    kept = spectrum.squares / (spectrum.squares + penalty * scale)
    fitted = spectrum.left @ (kept[:, None] * (spectrum.left.T @ centred))
    leverage = 1 / rows + np.square(spectrum.left) @ kept
    return np.asarray(targets.columns - (centred - fitted) / np.maximum(1 - leverage, _LEAST)[:, None])
