"""A network small enough to be trained in milliseconds, with everything that freezing has to get right."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from graft.models.backbone import Backbone
from graft.models.network import Network


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.Dropout(0.1)
    )


def _build(num_blocks: int = 4, seed: int = 0) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        backbone = Backbone(_block(3, 4), [_block(4, 4) for _ in range(num_blocks)], pool, 4)
        return Network(backbone, nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 3)))


@pytest.fixture
def make_classifier() -> Callable[..., Network]:
    """``make_classifier(num_blocks=4, seed=0)``: convolutions, batch norm and dropout; 3 classes."""
    return _build
