"""A script with Optuna: tree-structured Parzen estimator, median pruner, one trial after the other on all cores."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from searches.trials import GRACE, SPACES, Problem, Range, best_of, epochs_of, first_config


def search(problem: Problem, test: Sequence[str], minutes: float, home: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Predictions of the best trial that could be trained within the minutes; predicting is not counted."""
    latest = time.monotonic() + 60 * minutes
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=problem.seed, multivariate=True, n_startup_trials=4),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=GRACE[problem.kind]),
    )
    study.enqueue_trial(first_config(problem.kind))

    def objective(trial: optuna.Trial) -> float:
        config = {name: _drawn(trial, name, one) for name, one in SPACES[problem.kind].items()}
        best = 0.0
        for epoch, accuracy in epochs_of(problem, config, home / f"trial-{trial.number}"):
            best = max(best, accuracy)
            trial.report(accuracy, epoch)
            if time.monotonic() > latest:
                study.stop()
                break
            if trial.should_prune():
                raise optuna.TrialPruned
        return best

    study.optimize(objective, timeout=60 * minutes)
    pruned = sum(one.state is optuna.trial.TrialState.PRUNED for one in study.trials)
    found, facts = best_of(problem, sorted(home.glob("trial-*")), test)
    return found, {**facts, "pruned": pruned}


def _drawn(trial: optuna.Trial, name: str, one: Range) -> Any:
    if one.between is not None:
        return trial.suggest_float(name, *one.between, log=True)
    return trial.suggest_categorical(name, one.of)
