"""A tiny network and three learnable classes of tiny images."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graft.core.seeds import derive_seed
from graft.data.batch import Batch
from graft.data.batches import TrainingBatch
from graft.modalities.registry import build_modality
from graft.models.backbone import Backbone
from graft.models.network import Network
from graft.spec.registry import build
from graft.spec.strategy import Strategy
from graft.training.loop import Session, TrainingPlan, prepare
from graft.transfer.adapt import adapt


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.Dropout(0.1)
    )


class TinyBatches:
    """48 images [3, 8, 8] in batches of 16; order and noise are derived from seed, epoch and batch."""

    steps = 3

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.labels = torch.arange(48) % 3
        centres = torch.randn(3, 3, 8, 8, generator=generator)
        self.images = centres[self.labels] + 0.5 * torch.randn(48, 3, 8, 8, generator=generator)

    def epoch(
        self, seed: int, epoch: int, augmenter: Callable[[Tensor, torch.Generator], Tensor] | None, first: int = 0
    ) -> Iterator[TrainingBatch]:
        generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
        for index, rows in enumerate(torch.randperm(48, generator=generator).split(16)):
            if index >= first:
                noise = torch.Generator().manual_seed(derive_seed(seed, "noise", epoch, index))
                images = self.images[rows]
                images = augmenter(images, noise) if augmenter else images
                yield TrainingBatch(Batch({"pixels": images}), self.labels[rows], len(rows))

    def for_evaluation(self) -> Iterator[tuple[np.ndarray, Batch]]:
        for rows in torch.arange(48).split(20):
            yield rows.numpy(), Batch({"pixels": self.images[rows]})


@pytest.fixture
def batches() -> TinyBatches:
    return TinyBatches()


@pytest.fixture
def make_session() -> Callable[..., Session]:
    """``make_session(strategy, **plan)``: a session over a tiny pretrained network, always from the same weights.

    ``class_counts`` are those of the rows that a loss by class looks at.
    """

    def make(strategy: Strategy | None = None, class_counts: Sequence[int] = (16, 16, 16), **plan: object) -> Session:
        strategy = strategy or Strategy(lr=0.01)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            backbone = Backbone(_block(3, 4), [_block(4, 4) for _ in range(4)], pool, 4, "pixels")
            network = Network(backbone, nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 3)))
        fields = {"epochs": 4, "seed": 3, "metric": "loss", "mode": "min", **plan}
        plan_made = TrainingPlan(strategy, **fields)
        labels = np.repeat(np.arange(3), class_counts)
        loss = build(strategy.loss, labels, {"num_outputs": 3}, plan_made.device)
        adapted = adapt(network, strategy, 3)
        build_modality("image").place(adapted.model, torch.device(plan_made.device))
        return prepare(adapted, plan_made, TinyBatches.steps, loss)

    return make
