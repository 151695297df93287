"""Variant (c): a plain Ray Tune function trainable with reused actors, tuned by hand; nothing of graft's training.

What it knows that a first script would not: `reuse_actors=True`; data in the object store once; Tune's JSON, CSV and
TensorBoard files off (a callback collects the scores); no dashboard; networks and images in channels_last, as graft has
them, so that the comparison is one of orchestration; each process reads a pretrained network once and copies it for the
next trial. What it does not do and graft does: a journal, MLflow, one record of why each trial ended, resume. It saves
the best epoch's weights, without graft's digest and fsync.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray import tune
from throughput.exchange import ARRAYS, Outcome, Request, main
from throughput.plain import Arrays, Recipe, train


def run_trial(config: dict[str, Any], arrays: Arrays, recipe: Recipe, weights: Path) -> None:
    """Train one candidate in this actor, and report each epoch."""
    best = -1.0
    for metrics, network in train(config["candidate"], arrays, recipe):
        if metrics["accuracy"] > best:
            best = metrics["accuracy"]
            torch.save(network.state_dict(), weights / f"{config['candidate']['name']}.pt")
        tune.report(metrics)


class Scores(tune.Callback):
    """Remembers what trials report."""

    def __init__(self) -> None:
        self.best: dict[str, float] = {}
        self.epochs: dict[str, int] = {}
        self.seconds = 0.0
        self.reports: list[tuple[float, float]] = []
        self._began = time.perf_counter()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        name = trial.config["candidate"]["name"]
        self.best[name] = max(self.best.get(name, -1.0), result["accuracy"])
        self.epochs[name] = result["training_iteration"]
        self.seconds += result["seconds"]
        self.reports.append((time.perf_counter() - self._began, result["accuracy"]))


def search(request: Request) -> Outcome:
    """Run the list through Tune in reused actors."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    ray.init(address="local", num_cpus=request.lanes, include_dashboard=False, log_to_driver=False)
    storage = Path(tempfile.mkdtemp(dir=request.work, prefix="reused-"))
    weights = storage / "weights"
    weights.mkdir()
    arrays = dict(np.load(request.work / ARRAYS))
    recipe = Recipe(request.epochs, request.seed, channels_last=True, keep_backbones=True)
    scores = Scores()
    trainable = tune.with_parameters(run_trial, arrays=arrays, recipe=recipe, weights=weights)
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={"candidate": tune.grid_search(list(request.candidates))},
        tune_config=tune.TuneConfig(max_concurrent_trials=request.lanes, reuse_actors=True),
        run_config=tune.RunConfig(name="search", storage_path=str(storage), callbacks=[scores], verbose=0),
    )
    started = time.perf_counter()
    tuner.fit()
    seconds = time.perf_counter() - started
    whole = {name: best for name, best in scores.best.items() if scores.epochs[name] == request.epochs}
    return Outcome(seconds, scores.seconds, whole, scores.reports)


if __name__ == "__main__":
    main(search)
