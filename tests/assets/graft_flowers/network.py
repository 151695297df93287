"""A network for measurements, with weights that come from nowhere but a seed."""

from typing import Any

import torch
from torch import Tensor, nn

from graft.models.backbone import Backbone
from graft.models.info import BackboneInfo
from graft.models.weights.digest import WeightFile
from graft.models.zoo import ZooEntry
from graft_flowers.modality import NUMBERS
from graft_flowers.specs import ScaledHead

WIDTH = 16


class Seeded:
    """Weights drawn from a seed: what a real package would read from a file."""

    def problem(self) -> str | None:
        return None

    def version(self) -> str:
        return "1"

    def files(self) -> tuple[WeightFile, ...]:
        return ()

    def fetch(self) -> None:
        """Nothing lies on a hub."""

    def state_dict(self) -> dict[str, Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return FlowerLibrary().create("net").state_dict()


class FlowerLibrary:
    def problem(self, architecture: str) -> str | None:
        return None if architecture == "net" else f"flowers has no architecture `{architecture}`"

    def create(self, architecture: str) -> nn.Module:
        return nn.Sequential(
            nn.Linear(4, WIDTH), nn.Sequential(nn.Tanh(), nn.Linear(WIDTH, WIDTH)), nn.Sequential(nn.Tanh())
        )

    def wrap(self, network: Any, size: int | None = None) -> Backbone:
        return Backbone(network[0], [network[1], network[2]], nn.Identity(), WIDTH, NUMBERS)

    def size_problem(self, architecture: str, size: int) -> str | None:
        return None

    def describe(self, architecture: str) -> BackboneInfo:
        params = 4 * WIDTH + WIDTH + WIDTH * WIDTH + WIDTH
        return BackboneInfo("flower_net", "flowers/net", "measurements", 2, WIDTH, params, None)

    def sample(self, architecture: str, size: int | None = None) -> dict[str, Tensor]:
        return {NUMBERS: torch.zeros(1, 4)}

    def files(self, architecture: str) -> tuple[WeightFile, ...]:
        return ()

    def read(self, architecture: str) -> dict[str, Tensor]:
        return Seeded().state_dict()

    def fetch(self, architecture: str) -> None:
        """Nothing lies on a hub."""


FLOWER_NET = ZooEntry("flowers/net", Seeded(), "identity", FlowerLibrary().describe("net"))


class Scaled(nn.Linear):
    def __init__(self, inputs: int, outputs: int, factor: float) -> None:
        super().__init__(inputs, outputs)
        self.factor = factor

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features) * self.factor


def scaled_head(spec: ScaledHead, in_features: int, num_outputs: int) -> nn.Module:
    return Scaled(in_features, num_outputs, spec.factor)
