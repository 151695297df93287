"""Measures how fast this machine runs a backbone, and what its blocks give, for the plan."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch

from graft.data.batch import Batch
from graft.learner.prefix_plan import Depths
from graft.modalities.registry import build_modality
from graft.models.backbone import Backbone, Hidden, packed
from graft.models.load import load_backbone

BATCH = 32
ROUNDS = 3


def forward_seconds(backbone: str, size: int) -> float:
    """Seconds a forward pass takes for one sample on one thread: the best of a few rounds, random weights."""
    network, batch = _network(backbone, size)
    with _one_thread():
        network(batch)
        return min(_timed(lambda: network(batch)) for _ in range(ROUNDS)) / BATCH


def measure_depths(backbone: str, size: int) -> Depths:
    """The share of the forward pass below each cut, and the activation size per sample there; one thread."""
    network, batch = _network(backbone, size)
    with _one_thread():
        rounds = [_steps(network, batch, size) for _ in range(ROUNDS)]
    fastest = [min(times) for times in zip(*(seconds for seconds, _ in rounds), strict=True)]
    below = list(accumulate(fastest))
    return Depths(tuple(one / below[-1] for one in below), tuple(rounds[0][1]))


def _network(name: str, size: int) -> tuple[Backbone, Batch]:
    """As trials on a CPU have it, with random weights; and samples for it."""
    loaded = load_backbone(name, size, pretrained=False)
    modality, cpu = build_modality(loaded.info.modality), torch.device("cpu")
    modality.suit(loaded.backbone, cpu)
    modality.place(loaded.backbone, cpu)
    return loaded.backbone, modality.example_batch(loaded.info, size, BATCH)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(threads)


def _steps(network: Backbone, batch: Batch, size: int) -> tuple[list[float], list[int]]:
    """Seconds of the stem and of each block, the pool with the last one, and the numbers a sample is after each."""
    hidden: Hidden | None = None
    seconds, sizes = [], []
    for cut in range(len(network.blocks) + 1):
        start = time.perf_counter()
        hidden = network.begin(batch) if hidden is None else network.between(hidden, cut - 1, cut)
        seconds.append(time.perf_counter() - start)
        sizes.append(packed(hidden, size)[0].numel())
    return seconds, sizes


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
