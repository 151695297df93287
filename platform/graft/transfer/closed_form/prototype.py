"""The nearest class mean by the cosine."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graft.spec.components.head import PrototypeHead
from graft.transfer.closed_form.held_out import HeldOut, parts_of
from graft.transfer.closed_form.present import Present
from graft.transfer.closed_form.problem import Fitting, LinearTargets, Solution, ones_like_rows
from graft.transfer.closed_form.temperature import temperature_of


def solve(spec: PrototypeHead, fitting: Fitting) -> Solution:
    """Means of the classes' centred features of length 1 (Snell, Swersky & Zemel, NeurIPS 2017, with the cosine).

    Logits are s · cos(x − μ, m_c); s is the scale under which rows are likeliest when they are left out of the mean of
    their own class, and with them those that belong to them. A class without rows has the rarest rate in all
    directions.
    """
    weights = ones_like_rows(fitting.features) if fitting.weights is None else fitting.weights
    present = Present.of(fitting.targets)
    codes = torch.from_numpy(np.ascontiguousarray(present.targets.values))
    mean = (weights.double() @ fitting.features.double() / weights.sum()).float()
    unit = functional.normalize(fitting.features - mean, dim=1)
    sums = torch.zeros(present.targets.outputs, unit.shape[1]).index_add_(0, codes, unit * weights[:, None])
    parts = parts_of(present.targets, fitting)
    told = _told_by_others(unit, sums, codes, weights, parts) if parts else _told_by_own(unit, sums, codes, weights)
    scale = _scale(*told, present.targets, weights)
    prototypes = scale * functional.normalize(sums, dim=1)
    level = float((unit @ prototypes.T).logsumexp(dim=1).mean())
    weight, bias = present.filled(prototypes, torch.zeros(len(prototypes)), level)
    return Solution({"0.mean": mean, "1.weight": weight, "1.bias": bias}, {"head/temperature": 1 / scale})


def _told_by_own(unit: Tensor, sums: Tensor, codes: Tensor, weights: Tensor) -> tuple[Tensor, np.ndarray]:
    """Cosines [N, K] of rows that are left out of their own class, and for which rows another one of it stays."""
    own = sums[codes] - unit * weights[:, None]
    cosines = unit @ functional.normalize(sums, dim=1).T
    cosines.scatter_(1, codes[:, None], (unit * functional.normalize(own, dim=1)).sum(dim=1, keepdim=True))
    return cosines, np.flatnonzero((torch.bincount(codes)[codes] > 1).numpy())


def _told_by_others(
    unit: Tensor, sums: Tensor, codes: Tensor, weights: Tensor, parts: Sequence[HeldOut]
) -> tuple[Tensor, np.ndarray]:
    """Cosines [N, K] with the means of all classes without the rows of the same part, and which rows are judged."""
    cosines = unit.new_zeros(len(unit), len(sums))
    for part in parts:
        rows = torch.from_numpy(part.rows)
        others = sums.index_add(0, codes[rows], unit[rows] * weights[rows, None], alpha=-1)
        cosines[rows] = unit[rows] @ functional.normalize(others, dim=1).T
    return cosines, np.sort(np.concatenate([part.judged for part in parts]))


def _scale(cosines: Tensor, judged: np.ndarray, targets: LinearTargets, weights: Tensor) -> float:
    if not len(judged):
        return 10.0
    some = torch.from_numpy(judged)
    return temperature_of(cosines[some], torch.zeros(targets.outputs), targets.at(judged), weights[some])
