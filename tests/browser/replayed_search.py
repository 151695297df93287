"""A search of 24 trials as its journal would tell it: curves from a formula, nothing is trained."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

from graft.journal import events
from graft.journal.events import TrialStatus
from graft.journal.journal import Journal
from graft.spec.strategy import Strategy

EPOCHS = 6
BACKBONES = {"efficientnet_lite0": 0.0, "efficientnet_lite1": 0.015}
FREEZES = {0.0: (0.93, 9.0), 0.5: (0.96, 5.0), 1.0: (0.86, 1.5)}
PENALTIES = {"none": -0.01, "l2_sp": 0.01}
RATES = {0.001: -0.02, 0.004: 0.0}


def record_search(journal: Journal, name: str, job: Mapping[str, Any]) -> None:
    """Append the whole experiment; the twentieth trial breaks, and the worse half stops after two epochs."""
    start = 1_790_000_000.0
    journal.append(events.ExperimentStarted(name, name, job, time=start))
    journal.append(events.PlanMade({"job": name}, "1 node, 2 CPU, 0 GPU", cpus=1.0, time=start))
    journal.append(events.DatasetReady("ab" * 32, "replayed", {"train": 900, "validation": 300}, time=start))
    best = ("", 0.0)
    strategies = itertools.product(BACKBONES, FREEZES, PENALTIES, RATES)
    for number, (backbone, freeze, penalty, lr) in enumerate(strategies, start=1):
        strategy = Strategy.model_validate(
            {"backbone": backbone, "freeze": freeze, "penalty": penalty, "lr": lr, "resolution": 32}
        )
        height, epoch_seconds = FREEZES[freeze]
        height += BACKBONES[backbone] + PENALTIES[penalty] + RATES[lr]
        trial, begun = f"t{number:02}", start + 60 * number
        journal.append(
            events.TrialStarted(trial, strategy.model_dump(mode="json"), strategy.label(), 0, epochs=EPOCHS, time=begun)
        )
        if number == 20:
            journal.append(
                events.TrialFinished(trial, TrialStatus.FAILED, "non-finite loss at epoch 1", time=begun + 1)
            )
            continue
        epochs = EPOCHS if height > 0.93 else 2
        score = _record_curve(journal, trial, height, epochs, epoch_seconds, begun)
        best = max(best, (trial, score), key=lambda one: one[1])
    journal.append(events.WinnerChosen(best[0], "best validation accuracy", time=start + 2000))
    journal.append(events.ExperimentFinished(events.ExperimentStatus.COMPLETED, 2000.0, time=start + 2000))


def _record_curve(
    journal: Journal, trial: str, height: float, epochs: int, epoch_seconds: float, begun: float
) -> float:
    score = 0.0
    for epoch in range(1, epochs + 1):
        score = height * (1 - math.exp(-1.2 * epoch))
        metrics = {"val/accuracy": score, "val/loss": 1 - score, "train/loss": 1.2 - score}
        journal.append(events.TrialReported(trial, epoch, metrics, epoch_seconds, time=begun + epoch * epoch_seconds))
    status = TrialStatus.COMPLETED if epochs == EPOCHS else TrialStatus.STOPPED
    seconds = epochs * epoch_seconds
    final = {"val/accuracy": score, "val/loss": 1 - score}
    journal.append(events.TrialFinished(trial, status, "", epochs, final, seconds, time=begun + seconds))
    return score
