"""The trials whose heads were solved rather than trained, as ``graft run --json`` tells of them."""

from typing import Any

from graft.experiments.progress import Progress
from graft.modalities.registry import build_modality
from graft.spec.strategy import Strategy


def solved_heads(progress: Progress, modality: str) -> list[dict[str, Any]]:
    """A plain row for each that has a score, best first.

    ``backbone``; ``depth``, the share of its blocks whose features the head is on; ``resolution``, the size of the
    inputs, as the modality counts it (pixels a side, tokens); ``head``; ``validation``, its score; ``seconds``.

    Args:
        progress: how the search stands.
        modality: of the samples.
    """
    ranked = ((trial, Strategy.read_stored(trial.strategy)) for trial in progress.ranked() if trial.best_epoch)
    return [
        {
            "backbone": strategy.backbone,
            "depth": strategy.structure.keep,
            "resolution": build_modality(modality).size(strategy),
            "head": strategy.head.kind,
            "validation": progress.score(trial),
            "seconds": round(trial.seconds, 3),
        }
        for trial, strategy in ranked
        if strategy.head.is_solved
    ]
