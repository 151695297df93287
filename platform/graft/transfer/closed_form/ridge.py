"""Ridge regression whose penalty is chosen by exact leave-one-out errors."""

import numpy as np
import torch
from torch import Tensor

from graft.spec.components.head import RidgeHead
from graft.transfer.closed_form.present import Present
from graft.transfer.closed_form.problem import Fitting, Solution, ones_like_rows
from graft.transfer.closed_form.spectrum import Spectrum, spectrum_of
from graft.transfer.closed_form.temperature import temperature_of

# Of the mean square of a standardised feature: from nearly none to nearly all shrunk away.
PENALTIES = tuple(float(10 ** (power / 2)) for power in range(-8, 8))


def solve(spec: RidgeHead, fitting: Fitting) -> Solution:
    """Least squares with a penalty, min Σ ωᵢ ‖yᵢ − W xᵢ − b‖² + N λ ‖W‖², the bias being free.

    Of classes and labels, y is 1 for each that a row has and 0 for the others; outputs are then scaled to logits, by
    the temperature under which the left-out rows are likeliest. λ is the one of `PENALTIES` with the least squared
    error of left-out rows, which one decomposition gives for all rows and penalties (Rifkin & Lippert, *Notes on
    regularized least squares*, 2007, equation 8): yᵢ − ŷ₋ᵢ = (yᵢ − ŷᵢ) / (1 − hᵢ), with hᵢ the leverage.
    """
    weights = ones_like_rows(fitting.features) if fitting.weights is None else fitting.weights
    present = Present.of(fitting.targets)
    spectrum = spectrum_of(fitting.features, weights, spec.scale)
    wanted = _wanted(present)
    mean = (weights @ wanted) / weights.sum()
    path = _Path(spectrum, wanted - mean, weights)
    if spec.penalty is None:
        errors = {penalty: path.left_out_error(penalty) for penalty in PENALTIES}
        penalty = min(errors, key=errors.__getitem__)
    else:
        penalty = spec.penalty
    coefficients, link = path.coefficients(penalty), present.targets.link
    facts = {"head/penalty": penalty}
    scale, bias, level = 1.0, mean, 0.0
    if link != "identity":
        prior = torch.zeros_like(mean) if link == "softmax" else torch.logit(mean)
        told = path.left_out(penalty) + (mean if link == "softmax" else 0.0)
        scale = temperature_of(told, prior, present.targets, weights)
        bias = prior + scale * (mean if link == "softmax" else torch.zeros_like(mean))
        facts["head/temperature"] = 1 / scale
        level = float((scale * told).logsumexp(dim=1).mean()) if link == "softmax" else 0.0
    own = spectrum.model_of_features(scale * coefficients.T, bias)
    weight, bias = present.filled(*own, level)
    return Solution({"1.weight": weight, "1.bias": bias}, facts)


class _Path:
    """All penalties of one problem.

    Args:
        spectrum: Z, and its variances.
        centred: targets less their mean, [N, K].
        weights: of the rows.
    """

    def __init__(self, spectrum: Spectrum, centred: Tensor, weights: Tensor) -> None:
        self._scores, self._variances = spectrum.scores, spectrum.variances
        self._centred, self._weights, self._rows = centred, weights, len(centred)
        self._products = self._scores.T @ (centred * weights[:, None]) / self._rows
        self._squares = self._scores.square()

    def coefficients(self, penalty: float) -> Tensor:
        """Of the scores, [r, K]."""
        return self._products / (self._variances + penalty)[:, None]

    def left_out(self, penalty: float) -> Tensor:
        """What each row is told to be, less the mean, by a model that has not seen it, [N, K]."""
        leverage = self._weights / self._rows * (1 + self._squares @ (1 / (self._variances + penalty)))
        residuals = self._centred - self._scores @ self.coefficients(penalty)
        return self._centred - residuals / (1 - leverage).clamp_min(1e-6)[:, None]

    def left_out_error(self, penalty: float) -> float:
        """Mean squared error of left-out rows."""
        errors = (self.left_out(penalty) - self._centred).square().sum(dim=1)
        return float(errors.double() @ self._weights.double()) / self._rows


def _wanted(present: Present) -> Tensor:
    targets = present.targets
    values = torch.from_numpy(np.ascontiguousarray(targets.values))
    return torch.eye(targets.outputs)[values] if targets.link == "softmax" else values.float()
