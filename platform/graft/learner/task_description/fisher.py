"""The diagonal of the Fisher information of a reference network on a task (Task2Vec, Achille et al. 2019).

A hundred times as dear as statistics of features, so only on request and on few samples.
"""

import math

import numpy as np
import torch
from torch import nn

from graft.learner.pretrained import edited_backbone, preprocessing_for
from graft.learner.supervised import source_of
from graft.learner.task_description.rows import targets_of
from graft.learner.training_data import TrainingData
from graft.spec.strategy import Strategy

MOST_ROWS = 100
TRAINED_SHARE = 0.25
"""Of the blocks, counted from the output: the ones whose weights a task moves most."""
_RIDGE, _LEAST = 1.0, -12.0


def fisher_diagonal(data: TrainingData, strategy: Strategy, rows: np.ndarray, features: np.ndarray) -> list[float]:
    """The decimal logarithm of the mean of F over each weight tensor of the last blocks.

    F = E_x E_{y ~ p(y|x)} (∂ log p(y|x) / ∂w)². The outputs are those of a ridge head on the features of the sample,
    and y is drawn from them with a fixed seed, once a sample.

    Args:
        data: what is trained on.
        strategy: of the reference.
        rows: of the sample; the first `MOST_ROWS` are taken.
        features: float32 [n, F] of the same rows.
    """
    rows, features = rows[:MOST_ROWS], features[:MOST_ROWS]
    backbone = edited_backbone(strategy, data).eval()
    device = torch.device("cpu")
    inputs = source_of(data, strategy, preprocessing_for(data, strategy)).inputs()
    head = _ridge_head(features, np.asarray(targets_of(data, rows).columns))
    blocks = list(backbone.blocks)
    last = blocks[len(blocks) - max(1, round(len(blocks) * TRAINED_SHARE)) :]
    weights = [one.requires_grad_(True) for block in last for one in block.parameters() if one.ndim > 1]
    drawn = torch.Generator(device=device).manual_seed(0)
    sums = [0.0] * len(weights)
    for row in range(len(rows)):
        loss = _sampled_loss(head(backbone(inputs.plain(rows[row : row + 1]))), drawn)
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        for place, gradient in enumerate(gradients):
            sums[place] += 0.0 if gradient is None else float(gradient.square().mean())
    return [max(math.log10(total / len(rows)), _LEAST) if total > 0 else _LEAST for total in sums]


def _sampled_loss(logits: torch.Tensor, drawn: torch.Generator) -> torch.Tensor:
    """−log p(y | x) of a y that is drawn from the outputs; of values, with unit variance around them."""
    if logits.shape[1] == 1:
        noise = torch.randn(logits.shape, generator=drawn)
        return 0.5 * (logits - (logits + noise).detach()).square().sum()
    logarithms = logits - logits.logsumexp(dim=1, keepdim=True)
    label = torch.multinomial(logarithms.detach().exp(), 1, generator=drawn)
    return -logarithms.gather(1, label).sum()


def _ridge_head(features: np.ndarray, columns: np.ndarray) -> nn.Linear:
    mean = features.mean(axis=0)
    centred = (features - mean).astype(np.float64)
    gram = centred @ centred.T + _RIDGE * np.trace(centred @ centred.T) / len(centred) * np.eye(len(centred))
    weight = centred.T @ np.linalg.solve(gram, columns - columns.mean(axis=0))
    head = nn.Linear(features.shape[1], columns.shape[1])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight.T))
        head.bias.copy_(torch.from_numpy(columns.mean(axis=0) - mean @ weight))
    return head
