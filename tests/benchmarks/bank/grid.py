"""The fixed grid of strategies that every task of a modality is given, in levels: the cheapest of all tasks first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graft.models.load import depth_of_backbone
from graft.spec.strategy import Strategy
from graft.spec.tasks.base import TaskSpec

BACKBONES = {
    "image": ("efficientnet_lite0", "mobilenet_v2", "efficientnet_lite2"),
    "text": ("minilm_l6",),
}
EPOCHS = {"image": 6, "text": 4}
_STEADY: Mapping[str, Any] = {"batch_size": 32, "clip_norm": 1.0, "precision": "fp32"}
_CYCLE = {**_STEADY, "schedule": "one_cycle"}
_PULL = {"kind": "l2_sp", "strength": 0.03}

_IMAGE: tuple[tuple[Mapping[str, Any], ...], ...] = (
    (
        *({"resolution": 64, "head": head} for head in ("logistic", "ridge", "prototype")),
        *({"resolution": 64, "head": head, "structure": {"keep": 0.7}} for head in ("logistic", "ridge")),
        *({"resolution": side, "head": "logistic"} for side in (32, 96)),
        *({**_CYCLE, "resolution": 64, "freeze": 1.0, "lr": lr} for lr in (3e-3, 1e-2)),
        {**_CYCLE, "resolution": 64, "freeze": 1.0, "lr": 3e-3, "standardise": True},
        {**_CYCLE, "resolution": 64, "freeze": 1.0, "lr": 3e-3, "head": "mlp"},
    ),
    (
        {**_CYCLE, "resolution": 64, "freeze": 0.75, "lr": 4e-3},
        {**_CYCLE, "resolution": 64, "freeze": 0.75, "lr": 1e-3, "penalty": _PULL},
    ),
    ({**_CYCLE, "resolution": 64, "freeze": 0.5, "lr": 2e-3},),
    ({**_CYCLE, "resolution": 64, "lr": 1e-3},),
)
_TEXT: tuple[tuple[Mapping[str, Any], ...], ...] = (
    (
        *({"max_tokens": 64, "head": head} for head in ("logistic", "ridge", "prototype")),
        *({"max_tokens": 64, "head": head, "structure": {"keep": 0.7}} for head in ("logistic", "ridge")),
        {"max_tokens": 32, "head": "logistic"},
        *({**_STEADY, "max_tokens": 64, "freeze": 1.0, "lr": lr} for lr in (3e-3, 1e-2)),
        {**_STEADY, "max_tokens": 64, "freeze": 1.0, "lr": 3e-3, "standardise": True},
        {**_STEADY, "max_tokens": 64, "freeze": 1.0, "lr": 3e-3, "head": "mlp"},
    ),
    (
        {**_STEADY, "max_tokens": 64, "freeze": 0.83, "lr": 2e-4, "head_lr_factor": 10.0},
        {**_STEADY, "max_tokens": 64, "freeze": 0.83, "lr": 1e-3, "head_lr_factor": 10.0},
    ),
    ({**_STEADY, "max_tokens": 64, "freeze": 0.67, "lr": 2e-4, "head_lr_factor": 10.0},),
    ({**_STEADY, "max_tokens": 64, "lr": 5e-5, "head_lr_factor": 20.0},),
)
LEVELS = len(_IMAGE)
_DEAR = 96
"""Pictures of this side are for the first backbone only."""
_BACKBONES_BY_LEVEL = (3, 2, 2, 1)


@dataclass(frozen=True)
class Planned:
    """One training of the bank.

    Attributes:
        strategy: canonical.
        epochs: how many at most.
        level: of the grid.
    """

    strategy: Strategy
    epochs: int
    level: int


def planned(modality: str, task: TaskSpec, level: int) -> Iterator[Planned]:
    """What is trained on a level, backbone by backbone; heads that the task has none of are left out."""
    for place, backbone in enumerate(BACKBONES[modality][: _BACKBONES_BY_LEVEL[level]]):
        for given in {"image": _IMAGE, "text": _TEXT}[modality][level]:
            if place and given.get("resolution") == _DEAR:
                continue
            usual = {"loss": task.default_loss, "precision": "fp32", "backbone": backbone}
            strategy = Strategy.model_validate({**usual, **given})
            if strategy.head.is_solved and task.link not in strategy.head.links:
                continue
            depth = depth_of_backbone(backbone, strategy.structure)
            yield Planned(strategy.canonical(depth), 1 if strategy.head.is_solved else EPOCHS[modality], level)
