"""Ridge regression whose penalty is chosen by exact errors of rows that are left out, or of whole groups."""

import numpy as np
import torch
from torch import Tensor

from graft.spec.components.head import RidgeHead
from graft.transfer.closed_form.held_out import parts_of
from graft.transfer.closed_form.left_out import Path
from graft.transfer.closed_form.present import Present
from graft.transfer.closed_form.problem import Fitting, Solution, ones_like_rows
from graft.transfer.closed_form.spectrum import spectrum_of
from graft.transfer.closed_form.temperature import temperature_of

# Of the mean square of a standardised feature: from nearly none to nearly all shrunk away.
PENALTIES = tuple(float(10 ** (power / 2)) for power in range(-8, 8))


def solve(spec: RidgeHead, fitting: Fitting) -> Solution:
    """Least squares with a penalty, min Σ ωᵢ ‖yᵢ − W xᵢ − b‖² + N λ ‖W‖², the bias being free.

    Of classes and labels, y is 1 for each that a row has and 0 for the others; outputs are then scaled to logits, by
    the temperature under which the left-out rows are likeliest. λ is the one of `PENALTIES` with the least squared
    error of left-out rows, which one decomposition gives for all rows and penalties (Rifkin & Lippert, *Notes on
    regularized least squares*, 2007, equation 8): yᵢ − ŷ₋ᵢ = (yᵢ − ŷᵢ) / (1 − hᵢ), with hᵢ the leverage. Rows that
    belong together are alike, so that one of them tells what the other is whatever the penalty: they are left out
    together (`left_out.Path`).
    """
    weights = ones_like_rows(fitting.features) if fitting.weights is None else fitting.weights
    present = Present.of(fitting.targets)
    spectrum = spectrum_of(fitting.features, weights, spec.scale)
    wanted = _wanted(present)
    mean = (weights @ wanted) / weights.sum()
    path = Path(spectrum, wanted - mean, weights, parts_of(present.targets, fitting))
    penalty = spec.penalty
    if penalty is None:
        errors = path.left_out_errors(PENALTIES)
        penalty = PENALTIES[errors.index(min(errors))]
    coefficients, link = path.coefficients(penalty), present.targets.link
    facts = {"head/penalty": penalty}
    scale, bias, level = 1.0, mean, 0.0
    if link != "identity":
        prior = torch.zeros_like(mean) if link == "softmax" else torch.logit(mean)
        told = path.left_out(penalty) + (mean if link == "softmax" else 0.0)
        judged = path.judged
        scale = temperature_of(told[judged], prior, present.targets.at(judged), weights[judged])
        bias = prior + scale * (mean if link == "softmax" else torch.zeros_like(mean))
        facts["head/temperature"] = 1 / scale
        level = float((scale * told).logsumexp(dim=1).mean()) if link == "softmax" else 0.0
    own = spectrum.model_of_features(scale * coefficients.T, bias)
    weight, bias = present.filled(*own, level)
    return Solution({"1.weight": weight, "1.bias": bias}, facts)


def _wanted(present: Present) -> Tensor:
    targets = present.targets
    values = torch.from_numpy(np.ascontiguousarray(targets.values))
    return torch.eye(targets.outputs)[values] if targets.link == "softmax" else values.float()
