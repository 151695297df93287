"""Measures how fast this machine runs a backbone, and what its blocks give, for the plan."""

import time
from itertools import accumulate

import torch

from graft.learner.prefix_plan import Depths
from graft.models.backbone import Backbone
from graft.models.load import load_backbone
from graft.models.small_maps import suit_small_maps

BATCH = 32
ROUNDS = 3


def forward_seconds(backbone: str, resolution: int) -> float:
    """Seconds a forward pass takes for one image on one thread: the best of a few rounds, random weights."""
    network = _network(backbone, resolution)
    images = torch.zeros(BATCH, 3, resolution, resolution).contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            network(images)
            return min(_round(network, images) for _ in range(ROUNDS)) / BATCH
    finally:
        torch.set_num_threads(threads)


def measure_depths(backbone: str, resolution: int) -> Depths:
    """The share of the forward pass below each cut, and how many numbers an image is there; one thread."""
    network = _network(backbone, resolution)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            rounds = [_steps(network, resolution) for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    fastest = [min(times) for times in zip(*(seconds for seconds, _ in rounds), strict=True)]
    below = list(accumulate(fastest))
    return Depths(tuple(one / below[-1] for one in below), tuple(rounds[0][1]))


def _network(name: str, resolution: int) -> Backbone:
    """As trials on a CPU have it, with random weights."""
    network = load_backbone(name, resolution, pretrained=False).backbone
    suit_small_maps(network)
    return network.to(memory_format=torch.channels_last)


def _steps(network: Backbone, resolution: int) -> tuple[list[float], list[int]]:
    """Seconds of the stem and of each block, the pool with the last one, and the numbers an image is after each."""
    x = torch.zeros(BATCH, 3, resolution, resolution).contiguous(memory_format=torch.channels_last)
    seconds, sizes = [], []
    for cut in range(len(network.blocks) + 1):
        start = time.perf_counter()
        x = network.stem(x) if cut == 0 else network.between(x, cut - 1, cut)
        seconds.append(time.perf_counter() - start)
        sizes.append(x[0].numel())
    return seconds, sizes


def _round(network: torch.nn.Module, images: torch.Tensor) -> float:
    start = time.perf_counter()
    network(images)
    return time.perf_counter() - start
