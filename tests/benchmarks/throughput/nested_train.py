"""Variant (b): Ray Tune over Ray Train, as Ray's user guide "Hyperparameter Tuning with Ray Tune" shows it (Ray 2.60).

A Tune function trainable builds one TorchTrainer a trial; `TuneReportCallback` forwards what the worker reports. What
the guide leaves to the user is done well: the driver holds a custom resource instead of a CPU, trials at once are
limited to what the CPUs can train, the dashboard is on (without it the placement group of a killed trial is never
freed). Everything else, in particular Train's poll and health-check intervals, is Ray's default: that is what a user
who follows the guide gets. The options of the benchmark tune them.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.train
import ray.train.torch
import torch
from ray import tune
from ray.tune.integration.ray_train import TuneReportCallback
from throughput.exchange import ARRAYS, Outcome, Request, main
from throughput.plain import Recipe, train


def train_fn_per_worker(config: dict[str, Any]) -> None:
    """The Train worker: the whole training of one candidate."""
    recipe = Recipe(config["epochs"], config["seed"], config["channels_last"], prepare=ray.train.torch.prepare_model)
    arrays = np.load(config["arrays"])
    for metrics, network in train(config["candidate"], arrays, recipe):
        with tempfile.TemporaryDirectory() as directory:
            torch.save(network.state_dict(), Path(directory) / "model.pt")
            ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(directory))


def train_driver_fn(config: dict[str, Any]) -> None:
    """The Tune trial: one Train run."""
    trainer = ray.train.torch.TorchTrainer(
        train_fn_per_worker,
        train_loop_config=config["train_loop_config"],
        scaling_config=ray.train.ScalingConfig(num_workers=1),
        run_config=ray.train.RunConfig(
            name=f"train-trial_id={tune.get_context().get_trial_id()}",
            storage_path=config["storage"],
            callbacks=[TuneReportCallback()],
        ),
    )
    trainer.fit()


def search(request: Request) -> Outcome:
    """Run the list through Tune, one TorchTrainer a candidate."""
    ray.init(address="local", num_cpus=request.lanes, resources={"trial_slot": request.lanes})
    storage = tempfile.mkdtemp(dir=request.work, prefix="nested-")
    worker_config = {
        "candidate": tune.grid_search(list(request.candidates)),
        "arrays": str(request.work / ARRAYS),
        "epochs": request.epochs,
        "seed": request.seed,
        "channels_last": request.channels_last,
    }
    tuner = tune.Tuner(
        tune.with_resources(train_driver_fn, {"trial_slot": 1}),
        param_space={"train_loop_config": worker_config, "storage": storage},
        tune_config=tune.TuneConfig(max_concurrent_trials=request.lanes),
        run_config=tune.RunConfig(name="search", storage_path=storage),
    )
    began, started = time.time(), time.perf_counter()
    grid = tuner.fit()
    seconds = time.perf_counter() - started
    return _outcome(grid, request.epochs, seconds, began)


def _outcome(grid: tune.ResultGrid, epochs: int, seconds: float, began: float) -> Outcome:
    trials = [result for result in grid if not result.error and result.metrics["training_iteration"] == epochs]
    names = [result.config["train_loop_config"]["candidate"]["name"] for result in trials]
    history = [result.metrics_dataframe for result in trials]
    return Outcome(
        search_seconds=seconds,
        training_seconds=float(sum(frame["seconds"].sum() for frame in history)),
        scores={name: float(frame["accuracy"].max()) for name, frame in zip(names, history, strict=True)},
        reports=[
            (float(at - began), float(accuracy))
            for frame in history
            for at, accuracy in zip(frame["timestamp"], frame["accuracy"], strict=True)
        ],
    )


if __name__ == "__main__":
    main(search)
