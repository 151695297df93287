"""What a careful person would do with few pictures and no search: frozen features, or one fixed fine-tuning."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional

from graft.models.load import load_backbone

BACKBONE, SIDE, SIDES = "efficientnet_lite0", 128, (96, 128, 160)
EPOCHS, BATCH, LR, SMOOTHING = 12, 32, 1e-3, 0.1
_C = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# Logits of a fitted head are this much of what they were where it starts a fine-tuning: its scale hurts otherwise.
_TEMPER = 0.3
Predicted = tuple[np.ndarray, dict[str, Any]]


def read_pictures(files: Sequence[str], side: int) -> Tensor:
    """uint8 [N, 3, side, side]."""
    opened = (Image.open(file).convert("RGB").resize((side, side), Image.Resampling.BICUBIC) for file in files)
    return torch.from_numpy(np.stack([np.asarray(one) for one in opened])).permute(0, 3, 1, 2)


def probe(train: Sequence[str], labels: Sequence[str], test: Sequence[str]) -> Predicted:
    """Logistic regression on standardised features, C by three folds, at the side that is best by the same folds."""
    best: tuple[float, int, Any, np.ndarray] | None = None
    for side in SIDES:
        network = load_backbone(BACKBONE, side).backbone
        found = _by_folds(_features(network, read_pictures(train, side)), labels)
        if best is None or found.best_score_ > best[0]:
            best = (found.best_score_, side, found, _features(network, read_pictures(test, side)))
    assert best is not None
    score, side, found, features = best
    return found.predict(features), {"side": side, "folds": score, **found.best_params_}


@dataclass(frozen=True)
class Tuning:
    """What a fine-tuning of the whole network does: AdamW, one cycle, clipped gradients.

    Attributes:
        side: of the pictures.
        epochs: of the cycle.
        lr: at its top.
        weight_decay: of all weights.
        smoothing: of labels.
        flip: whether pictures are mirrored at random.
        from_probe: whether the head starts as a fitted one that was tempered (LP-FT), not at random.
    """

    side: int = SIDE
    epochs: int = EPOCHS
    lr: float = LR
    weight_decay: float = 0.01
    smoothing: float = SMOOTHING
    flip: bool = True
    from_probe: bool = False


def fine_tune(train: Sequence[str], labels: Sequence[str], test: Sequence[str], seed: int, tuning: Tuning) -> Predicted:
    """One fixed fine-tuning."""
    *_, model = trained(train, labels, seed, tuning)
    facts = {"epochs": tuning.epochs, "lr": tuning.lr, "from_probe": tuning.from_probe}
    return np.array(sorted(set(labels)))[chosen(model, read_pictures(test, tuning.side))], facts


def trained(train: Sequence[str], labels: Sequence[str], seed: int, tuning: Tuning) -> Iterator[nn.Sequential]:
    """The network after each epoch; its outputs are in the order of the sorted labels."""
    torch.manual_seed(seed)
    names = sorted(set(labels))
    codes = torch.tensor([names.index(label) for label in labels])
    model, pictures = network_of(len(names), tuning.side), read_pictures(train, tuning.side)
    if tuning.from_probe:
        _start_from_probe(model[1], _features(model[0], pictures), labels, names)
    steps = len(codes) // BATCH
    optimizer = torch.optim.AdamW(model.parameters(), lr=tuning.lr, weight_decay=tuning.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, tuning.lr, total_steps=tuning.epochs * steps + 1)
    rng = np.random.default_rng(seed)
    for _ in range(tuning.epochs):
        model.train()
        for rows in np.array_split(rng.permutation(len(codes)), steps):
            some = pictures[rows]
            if tuning.flip:
                turned = torch.from_numpy(rng.random(len(rows)) < 0.5)[:, None, None, None]
                some = torch.where(turned, some.flip(3), some)
            outputs = model(_normalised(some))
            loss = functional.cross_entropy(outputs, codes[rows], label_smoothing=tuning.smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        yield model


def network_of(outputs: int, side: int) -> nn.Sequential:
    """The pretrained network, and a head at random."""
    network = load_backbone(BACKBONE, side).backbone.to(memory_format=torch.channels_last)
    return nn.Sequential(network, nn.Linear(network.num_features, outputs))


def chosen(model: nn.Sequential, pictures: Tensor) -> np.ndarray:
    """The most likely output of each picture."""
    found: np.ndarray = model[1](torch.from_numpy(_features(model[0], pictures))).argmax(dim=1).numpy()
    return found


def _start_from_probe(head: nn.Linear, features: np.ndarray, labels: Sequence[str], names: list[str]) -> None:
    """The weights of a fitted regression, on features as they are."""
    fitted = _by_folds(features, labels).best_estimator_
    scale, model = fitted[0], fitted[1]
    weights, bias = model.coef_, model.intercept_
    if len(names) == 2:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    weights = weights / scale.scale_
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(_TEMPER * weights))
        head.bias.copy_(torch.from_numpy(_TEMPER * (bias - weights @ scale.mean_)))


def _by_folds(features: np.ndarray, labels: Sequence[str]) -> GridSearchCV:
    model: Pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return GridSearchCV(model, {"logisticregression__C": _C}, cv=3).fit(features, list(labels))


@torch.inference_mode()
def _features(network: Any, pictures: Tensor) -> np.ndarray:
    network.eval()
    return torch.cat([network(_normalised(some)) for some in pictures.split(64)]).numpy()


def _normalised(pictures: Tensor) -> Tensor:
    return ((pictures.float() / 255 - 0.5) / 0.5).contiguous(memory_format=torch.channels_last)
