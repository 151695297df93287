"""How fast two workers train from a stream, beside the same training from stored samples.

Two processes train EfficientNet-Lite0 with DDP on JPEG files of 224 px, every weight, with light augmentation. Epochs
from the stream and from the store take turns; the first of each is not counted. The batches are the same, and so is the
loss, bit for bit: that is checked. A ratio is of neighbours in time; the median counts. On a busy machine the ratio of
CPU seconds, of all processes together, says more.
"""

import argparse
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
import torch
from photos import write_photos
from process_tree import cpu_seconds
from reporting import json_line, provenance, table
from torch import distributed

from graft.core.errors import GraftError
from graft.data.dataset import Dataset, Split
from graft.data.ingest import ingest
from graft.learner.supervised import build_learner
from graft.learner.training_data import training_data_of
from graft.pipeline.resolve import resolve_job
from graft.pipeline.stages.ingest import ingestion_of
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.training.loop import train_epoch
from graft.training.world import Ranks

TARGET, WORKERS = 0.85, 2


class Worker:
    """One of the processes that train, with a learner of each kind."""

    def __init__(self, rank: int, port: int) -> None:
        torch.set_num_threads(1)
        address = f"tcp://127.0.0.1:{port}"
        distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=WORKERS)

    def build(self, job: Job, datasets: dict[str, Dataset], strategy: Strategy) -> None:
        self._learners = {
            name: build_learner(training_data_of(job, dataset, num_threads=1), strategy, (Split.TRAIN,), Ranks())
            for name, dataset in datasets.items()
        }

    def epoch(self, name: str) -> tuple[float, float]:
        """Seconds of the next epoch, and its loss."""
        learner = self._learners[name]
        session = learner.session
        started = time.perf_counter()
        batches = learner.batches().epoch(0, session.epochs_done + 1, learner.augmenter)
        if ended := train_epoch(session, batches):
            raise GraftError(f"the epoch ended early: {ended}")
        seconds, loss = time.perf_counter() - started, session.partial.loss
        session.finish_epoch({"train/loss": loss, "val/accuracy": 0.0})
        return seconds, loss


def datasets_of(job: Job, cache: Path) -> dict[str, Dataset]:
    """The samples of a job, stored and streamed."""
    work = ingestion_of(job)
    streamed = replace(work, plan=replace(work.plan, is_streamed=True))
    return {"stored": ingest(work, cache), "streamed": ingest(streamed, cache)}


def job_of(folder: Path, resolution: int) -> Job:
    strategy = {"backbone": "efficientnet_lite0", "resolution": resolution, "freeze": 0.0, "augment": {"kind": "light"}}
    data = {"kind": "image_folder", "path": str(folder)}
    return resolve_job(parse_job({"version": 1, "name": "stream", "data": data, "strategy": strategy})).job


def workers_of(job: Job, datasets: dict[str, Dataset], resolution: int) -> list[Any]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    remote = ray.remote(num_cpus=0.5)(Worker)  # one CPU of the two decodes, as in a run
    workers = [remote.remote(rank, port) for rank in range(WORKERS)]
    strategy = Strategy(backbone="efficientnet_lite0", resolution=resolution, freeze=0.0, augment={"kind": "light"})
    ray.get([worker.build.remote(job, datasets, strategy) for worker in workers])
    return workers


@dataclass(frozen=True)
class Epoch:
    """What an epoch took: wall-clock and CPU seconds, these of all processes; and its loss."""

    seconds: float
    cpu: float
    loss: float


def epoch_of(workers: list[Any], name: str) -> Epoch:
    spent = cpu_seconds()
    found = ray.get([worker.epoch.remote(name) for worker in workers])
    return Epoch(max(seconds for seconds, _ in found), cpu_seconds() - spent, found[0][1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--resolution", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="for the images; a temporary one if left out")
    given, origin = parser.parse_args(), provenance()
    with tempfile.TemporaryDirectory() as scratch:
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
        job = job_of(write_photos(given.folder or Path(scratch), given.images), given.resolution)
        datasets = datasets_of(job, Path(scratch) / "cache")
        workers = workers_of(job, datasets, given.resolution)
        rounds = []
        for _ in range(given.rounds + 1):
            rounds.append({name: epoch_of(workers, name) for name in datasets})
            assert len({one.loss for one in rounds[-1].values()}) == 1, "a streamed epoch must be the stored one"
            print({name: (one.seconds, one.cpu) for name, one in rounds[-1].items()}, file=sys.stderr)
    counted, samples = rounds[1:], datasets["stored"].counts["train"]
    speed = {name: samples / statistics.median(one[name].seconds for one in counted) for name in datasets}
    cpu = {name: samples / statistics.median(one[name].cpu for one in counted) for name in datasets}
    ratio = statistics.median(one["stored"].seconds / one["streamed"].seconds for one in counted)
    print(table(["from", "images/s", "images/CPU s"], [[name, speed[name], cpu[name]] for name in datasets]))
    found = {"wall": ratio, "cpu": cpu["streamed"] / cpu["stored"]}
    told = {"images_per_second": speed, "streamed_by_stored": found, "met": ratio >= TARGET}
    print(json_line("stream", origin, told))
    sys.exit(ratio < TARGET)


if __name__ == "__main__":
    main()
