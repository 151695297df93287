"""The training that variants (b) and (c) share: a plain torch loop that does the same arithmetic as graft's.

Same weights (loaded through `graft.models`), loss, optimiser with its parameter groups, learning-rate schedule, frozen
batch norm, batch size, images and validation rows; only the random order of the samples and the head's first weights
are drawn otherwise. Tricks in it that a documentation example would not have, and that favour (b) and (c): images are
made floats once instead of batch by batch, and the optimiser is the fused one.
"""

import copy
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.models.load import load_backbone

BATCH_SIZE = 64
EVALUATION_BATCH = 256
WEIGHT_DECAY = 0.01
WARMUP = 0.1

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Recipe:
    """How to train, whatever the candidate.

    Attributes:
        epochs: passes over the training samples.
        seed: of the order of the samples and of the head.
        channels_last: whether a network of images is in that memory format, and the images.
        keep_backbones: whether a process keeps each pretrained network, and copies it for the next trial.
        prepare: what is done to the network before training.
    """

    epochs: int
    seed: int = 0
    channels_last: bool = False
    keep_backbones: bool = False
    prepare: Callable[[nn.Module], nn.Module] = lambda network: network


def train(candidate: Mapping[str, Any], arrays: Arrays, recipe: Recipe) -> Iterator[tuple[dict[str, float], nn.Module]]:
    """Train one candidate; after each epoch yield ``accuracy``, ``loss`` and ``seconds``, and the network."""
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    network, frozen, read = build(candidate, int(arrays["train_labels"].max()) + 1, recipe)
    samples, labels = read(arrays["train_samples"]), torch.from_numpy(arrays["train_labels"].copy())
    held_out = read(arrays["validation_samples"]), torch.from_numpy(arrays["validation_labels"].copy())
    steps = math.ceil(len(labels) / BATCH_SIZE) * recipe.epochs
    optimizer = torch.optim.AdamW(parameter_groups(network), lr=candidate["lr"], fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: lr_factor(step, steps))
    for _ in range(recipe.epochs):
        started = time.perf_counter()
        network.train()
        for module in frozen:
            module.eval()
        for rows in torch.randperm(len(labels)).split(BATCH_SIZE):
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(network(samples[rows]), labels[rows]).backward()
            optimizer.step()
            schedule.step()
        metrics = evaluate(network, *held_out)
        yield {**metrics, "seconds": time.perf_counter() - started}, network


Built = tuple[nn.Module, list[nn.Module], Callable[[np.ndarray], Tensor]]


def build(candidate: Mapping[str, Any], num_classes: int, recipe: Recipe) -> Built:
    """The network, its frozen modules, and what makes stored samples its input.

    Images [N, S, S, 1 or 3] become [N, 3, S, S]; texts are tokens [N, L] already.
    """
    network, frozen, read = (_for_texts if candidate["is_text"] else _for_images)(candidate, num_classes, recipe)
    for module in frozen:
        module.requires_grad_(False)
    return recipe.prepare(network), frozen, read


def _for_texts(candidate: Mapping[str, Any], num_classes: int, recipe: Recipe) -> Built:
    from throughput.plain_texts import network_of  # transformers, which images do without

    network, frozen = network_of(candidate["cut"], num_classes, recipe.keep_backbones)
    return network, frozen, lambda stored: torch.from_numpy(stored.astype(np.int64))


def _for_images(candidate: Mapping[str, Any], num_classes: int, recipe: Recipe) -> Built:
    load = _kept_backbone if recipe.keep_backbones else _fresh_backbone
    backbone, mean, std = load(candidate["backbone"])
    cut = candidate["cut"]
    frozen = [backbone.stem, *list(backbone.blocks)[:cut]] if cut else []
    memory = torch.channels_last if recipe.channels_last else torch.contiguous_format
    network = nn.Sequential(backbone, nn.Linear(backbone.num_features, num_classes)).to(memory_format=memory)

    def normalise(stored: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(stored.astype(np.float32)).permute(0, 3, 1, 2) / 255
        wanted = (pixels - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
        return wanted.contiguous(memory_format=memory)

    return network, frozen, normalise


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Trainable parameters; biases and norms do not decay."""
    decayed, spared = [], []
    for parameter in network.parameters():
        if parameter.requires_grad:
            (decayed if parameter.ndim >= 2 else spared).append(parameter)
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def lr_factor(step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine; what the peak learning rate is multiplied by at a step, from 0."""
    at = min(step, steps - 1)
    warmup = min(round(WARMUP * steps), steps - 1)
    if at < warmup:
        return (at + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (at - warmup) / (steps - warmup)))


@torch.inference_mode()
def evaluate(network: nn.Module, samples: Tensor, labels: Tensor) -> dict[str, float]:
    """Accuracy and mean loss on the validation samples."""
    network.eval()
    logits = torch.cat([network(batch) for batch in samples.split(EVALUATION_BATCH)])
    return {
        "accuracy": (logits.argmax(dim=1) == labels).float().mean().item(),
        "loss": functional.cross_entropy(logits, labels).item(),
    }


def _fresh_backbone(name: str) -> tuple[Any, tuple[float, ...], tuple[float, ...]]:
    loaded = load_backbone(name)
    return loaded.backbone, loaded.info.input.mean, loaded.info.input.std


_loaded_once = functools.cache(_fresh_backbone)


def _kept_backbone(name: str) -> tuple[Any, tuple[float, ...], tuple[float, ...]]:
    return copy.deepcopy(_loaded_once(name))
