"""Measures how fast this machine runs a backbone, for the plan."""

import time

import torch

from graft.models.load import load_backbone

BATCH = 32
ROUNDS = 3


def forward_seconds(backbone: str, resolution: int) -> float:
    """Seconds a forward pass takes for one image on one thread: the best of a few rounds, random weights."""
    network = load_backbone(backbone, resolution, pretrained=False).backbone.to(memory_format=torch.channels_last)
    images = torch.zeros(BATCH, 3, resolution, resolution).contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            network(images)
            return min(_round(network, images) for _ in range(ROUNDS)) / BATCH
    finally:
        torch.set_num_threads(threads)


def _round(network: torch.nn.Module, images: torch.Tensor) -> float:
    start = time.perf_counter()
    network(images)
    return time.perf_counter() - start
