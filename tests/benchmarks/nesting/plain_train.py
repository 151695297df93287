"""Variants (b) and (c): the same trainings by Ray Train alone, one after the other, written by hand.

What a script with some experience has: Train's polls are quick and its extras off (children.TUNED_TRAIN), data is in
the object store once, checkpoints are written by rank 0 only, the dashboard is on (without it the end of every run
waits 12 s). The training loop, the network and the process group's backend are the same as graft's. (b) is one
`TorchTrainer` a training, as everybody writes it. (c) is a single one whose workers train one after the other: nothing
that decides between trials could do that, but it is as little as Ray Train can cost.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch
from nesting.request import Outcome, Request
from ray.train.torch import TorchTrainer

from graft.data.dataset import Split, open_dataset
from graft.learner.supervised import build_learner
from graft.learner.training_data import TrainingData, training_data_of
from graft.spec.strategy import Strategy
from graft.training.loop import EpochResult
from graft.training.world import Ranks

Trained = dict[str, Any]
"""``began``, when the first epoch did; ``training``, seconds inside epochs; ``score``, the best accuracy."""


def train(training_data: TrainingData, strategy: Strategy) -> Trained:
    """One training, in a Train worker."""
    learner, seconds, began = (
        build_learner(training_data, strategy, (Split.TRAIN,), Ranks()),
        list[float](),
        list[float](),
    )

    def on_epoch(result: EpochResult) -> None:
        seconds.append(result.seconds)
        began.append(time.time() - result.seconds)
        metrics = {**result.metrics, "lr": result.lr}
        if ray.train.get_context().get_world_rank():
            ray.train.report(metrics)
            return
        with tempfile.TemporaryDirectory() as directory:
            torch.save(dict(learner.session.state().tensors), Path(directory) / "state.pt")
            ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(directory))

    outcome = learner.train(on_epoch, validate=True)
    return {"began": began[0], "training": sum(seconds), "score": outcome.best_metrics["val/accuracy"]}


def train_all(config: Mapping[str, Any]) -> list[Trained]:
    """The function of every Train worker: its trainings, one after the other."""
    training_data = ray.get(config["training_data"])
    return [train(training_data, Strategy.model_validate(one)) for one in config["strategies"]]


def measure(request: Request, at_once: int) -> Outcome:
    """Train all; a `TorchTrainer` does so many of them."""
    job = request.job()
    ray.init(address="local", num_cpus=request.workers, log_to_driver=False)
    training_data = ray.put(training_data_of(job, open_dataset(Path(request.dataset)), num_threads=1))
    plain = [one.model_dump(mode="json") for one in request.strategies()]
    storage = tempfile.mkdtemp(dir=request.work, prefix="plain-")
    done: list[Trained] = []
    started = time.time()
    for first in range(0, len(plain), at_once):
        trainer = TorchTrainer(
            train_all,
            train_loop_config={"training_data": training_data, "strategies": plain[first : first + at_once]},
            scaling_config=ray.train.ScalingConfig(num_workers=request.workers, resources_per_worker={"CPU": 1}),
            run_config=ray.train.RunConfig(name=f"training-{first}", storage_path=storage),
        )
        done += trainer.fit().return_value
    seconds = time.time() - started
    return Outcome(
        seconds=seconds,
        first_start=done[0]["began"] - started,
        training=sum(one["training"] for one in done),
        scores={f"{rate:g}": one["score"] for rate, one in zip(request.rates, done, strict=True)},
    )
