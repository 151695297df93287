"""A start and an adapter for tasks of few samples, and a proposer of samples."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from graft.episodes.adapters.protocol import ClosedForm, Head
from graft.episodes.samples import FEATURES, Inputs
from graft.episodes.starts.protocol import Moments, Start
from graft.exploration.proposers.protocol import View
from graft_flowers import specs


class Bud(Start):
    def __init__(self, spec: specs.Bud, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.width, self.views = shapes[FEATURES][0], (FEATURES,)
        self.factors = nn.Parameter(torch.ones(self.width))

    def forward(self, inputs: Inputs, moments: Moments | None = None) -> tuple[Tensor, Moments]:
        return inputs[FEATURES].float() * self.factors, ()


class Nearest(ClosedForm):
    def head(self, vectors: Tensor, labels: Tensor, ways: int, pool: Tensor | None = None) -> Head:
        def answer(queries: Tensor) -> Tensor:
            distances = (queries.unsqueeze(1) - vectors).square().sum(dim=-1)
            return torch.stack([-distances[:, labels == place].amin(dim=1) for place in range(ways)], dim=1)

        return answer


def nearest_flower(spec: specs.NearestFlower, start: Start) -> Nearest:
    return Nearest()


class First:
    def __init__(self, spec: specs.FirstFlower) -> None:
        self.spec = spec

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        return view.free[:count]
