"""The nearest class mean by the cosine."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graft.spec.components.head import PrototypeHead
from graft.transfer.closed_form.present import Present
from graft.transfer.closed_form.problem import Fitting, Solution, ones_like_rows
from graft.transfer.closed_form.temperature import temperature_of


def solve(spec: PrototypeHead, fitting: Fitting) -> Solution:
    """Means of the classes' centred features of length 1 (Snell, Swersky & Zemel, NeurIPS 2017, with the cosine).

    Logits are s · cos(x − μ, m_c); s is the scale under which rows are likeliest when they are left out of the mean of
    their own class. A class without rows has the rarest rate in all directions.
    """
    weights = ones_like_rows(fitting.features) if fitting.weights is None else fitting.weights
    present = Present.of(fitting.targets)
    codes = torch.from_numpy(np.ascontiguousarray(present.targets.values))
    mean = (weights.double() @ fitting.features.double() / weights.sum()).float()
    unit = functional.normalize(fitting.features - mean, dim=1)
    sums = torch.zeros(present.targets.outputs, unit.shape[1]).index_add_(0, codes, unit * weights[:, None])
    scale = _scale(unit, sums, codes, weights, present)
    prototypes = scale * functional.normalize(sums, dim=1)
    level = float((unit @ prototypes.T).logsumexp(dim=1).mean())
    weight, bias = present.filled(prototypes, torch.zeros(len(prototypes)), level)
    return Solution({"0.mean": mean, "1.weight": weight, "1.bias": bias}, {"head/temperature": 1 / scale})


def _scale(unit: Tensor, sums: Tensor, codes: Tensor, weights: Tensor, present: Present) -> float:
    """By rows that another one of their class stays for when they are left out."""
    own = sums[codes] - unit * weights[:, None]
    cosines = unit @ functional.normalize(sums, dim=1).T
    cosines.scatter_(1, codes[:, None], (unit * functional.normalize(own, dim=1)).sum(dim=1, keepdim=True))
    left = torch.bincount(codes)[codes] > 1
    if not left.any():
        return 10.0
    some = present.targets.__class__("softmax", codes[left].numpy(), len(sums), present.targets.strata[left.numpy()])
    return temperature_of(cosines[left], torch.zeros(len(sums)), some, weights[left])
