"""All trials of an experiment, best first, and by which fields of the strategy they differ."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from graft.experiments.progress import Progress, TrialProgress

# What a user asks for first, whether it varied or not.
ALWAYS_TOLD = "lr"
COSTS = ("params", "multiply_adds")
"""Of the backbone as it is: a column each, where the space edits its structure."""
_BEFORE = ("rank", "trial", "status", "score")
_BEHIND = ("epochs", "best_epoch", "seconds", "label", "reason")
_SHARE = "ensemble"


def leaderboard(progress: Progress) -> list[dict[str, Any]]:
    """One plain row a trial, best first: rank, trial, status, score, epochs, seconds, reason, strategy of its best.

    `interval` of a row has the 95 % bounds of a score that is a mean over folds, else it is None.

    `estimate` of a row has the mean over folds of a finalist and its 95 % bounds, else it is None.

    `ensemble` of a row is how much the trial counts in the final model, where that averages several; else it is None.

    `network` of a row has `trainable_params`, and `params`, `multiply_adds`, `whole_params`, `whole_multiply_adds` of
    the backbone where the space edits its structure: as it is, and before its edit.

    `winner` is a sentence of why the trial was chosen, in the row of the one that was, and empty in all others. It need
    not be the first: which of scores that chance alone sets apart is highest says nothing (`standing.choice`).

    `recommended` says why earlier tasks speak for it; it is empty for what was drawn, or named by the job.

    `varied` of a row has the learning rate and every field in which the trials differ, by its dotted key; a field
    that the strategy of the trial does not have is None.
    """
    ranked = progress.ranked()
    flat = [dict(_leaves(trial.best_strategy or trial.strategy)) for trial in ranked]
    names = varied_fields(flat)
    return [
        {**_row(rank, trial, progress), "varied": {name: fields.get(name) for name in names}}
        for rank, (trial, fields) in enumerate(zip(ranked, flat, strict=True), start=1)
    ]


def varied_fields(flat: Sequence[Mapping[str, Any]]) -> list[str]:
    """The learning rate, and the fields in which flat strategies differ, in the order of the strategies."""
    names = list(dict.fromkeys(name for fields in flat for name in fields))
    varied = [name for name in names if any(fields.get(name) != flat[0].get(name) for fields in flat)]
    first = [ALWAYS_TOLD] if ALWAYS_TOLD in names else []
    return [*first, *(name for name in varied if name != ALWAYS_TOLD)]


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The rows for a spreadsheet, with a column for each field that varied."""
    varied = list(rows[0]["varied"]) if rows else [ALWAYS_TOLD]
    costs = [name for name in COSTS if any(name in row["network"] for row in rows)]
    text = io.StringIO()
    share = [_SHARE] if any(row.get(_SHARE) is not None for row in rows) else []
    writer = csv.DictWriter(text, [*_BEFORE, *share, *varied, *costs, *_BEHIND], extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**row["varied"], **row["network"], **row} for row in rows)
    return text.getvalue()


def _leaves(value: Mapping[str, Any], key: str = "") -> "list[tuple[str, Any]]":
    """``{"penalty": {"kind": "l2", "strength": 0.1}}`` becomes ``penalty: l2`` and ``penalty.strength: 0.1``."""
    found: list[tuple[str, Any]] = []
    for name, inner in value.items():
        path = key if name == "kind" and key else f"{key}.{name}" if key else name
        found += _leaves(inner, path) if isinstance(inner, Mapping) else [(path, inner)]
    return found


def _row(rank: int, trial: TrialProgress, progress: Progress) -> dict[str, Any]:
    interval = progress.interval(trial)
    return {
        "rank": rank,
        "trial": trial.trial,
        "status": trial.status,
        "score": progress.score(trial),
        "interval": None if interval is None else list(interval),
        "estimate": progress.estimate(trial),
        "winner": progress.winner_reason if trial.trial == progress.winner else "",
        "ensemble": progress.shares.get(trial.trial),
        "epochs": trial.epoch,
        "best_epoch": trial.best_epoch,
        "phase": trial.phase,
        "exploits": trial.segment,
        "seconds": round(trial.seconds, 2),
        "label": trial.best_label or trial.label,
        "reason": trial.reason,
        "recommended": trial.recommended,
        "network": {name: round(value) for name, value in trial.network.items()},
        "metrics": {
            name: value if math.isfinite(value) else None
            for name, value in trial.best.items()
            if name.startswith(("train/", "val/"))
        },
        "strategy": dict(trial.best_strategy or trial.strategy),
    }
