"""Trials that are left one on each node of two GPUs move together, and a node leaves before its trial ends; prints what
it saw.

The first trial of each node trains on, the second ends after an epoch. The GPUs are declared, the epochs are sleeps.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from growing import NodeWatch, dump, growing_cluster, launcher_file

from graft.pipeline.ray_session import nodes_there_may_be, ray_session
from graft.pipeline.scaling.packing import packing_of
from graft.search.conductor import Conductor
from graft.search.protocol import Duplicate, Proposal, TrialReporter
from graft.search.schedulers.build import build_scheduler
from graft.search.tuner import Execution, run_search
from graft.spec.job import Job
from graft.spec.strategy import Strategy
from graft.workers.allocation import allocate
from graft.workers.nodes.leaving import leaving_notice

EPOCH_S, STEP_S, IDLE_S = 4.0, 0.5, 8.0
NODES, GPUS, EPOCHS = 3, 2, 12
KINDS = {"gpu": {"resources": {"CPU": GPUS, "GPU": GPUS}, "max_workers": NODES}}
JOB = {
    "name": "packing",
    "data": {"kind": "digits"},
    "training": {"epochs": EPOCHS, "final_on": "train"},
    "search": {"scheduler": "none", "budget": {"trials": NODES * GPUS}},
    "resources": {"gpus_per_worker": 1},
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="g") as name:
        file = Path(name) / "cluster.yaml"
        dump(file, launcher_file(KINDS, IDLE_S))
        with growing_cluster(file, Path(name) / "r") as address:
            os.environ |= {"RAY_ADDRESS": address, "GRAFT_CLUSTER": str(file)}
            found = _search(Path(name))
    sys.stdout.write(json.dumps(found))


def _search(directory: Path) -> dict[str, Any]:
    job = Job.model_validate(JOB)
    with ray_session() as resources:
        share = allocate(job.resources, resources.at_its_largest(), NODES * GPUS)
        watch = NodeWatch(KINDS)
        record = Record(lambda: watch.seconds)
        phase = job.phases[0]
        scheduler = build_scheduler(phase, job.objective, job.search.seed, job.strategy)
        conductor = Conductor(scheduler, Few(), record, job.objective, share.concurrent)
        asked = {"CPU": share.cpus, "GPU": share.gpus}
        pack = packing_of(share, nodes_there_may_be(), record.on_moved)
        execution = Execution("search", directory, job.objective, asked, share.concurrent, pack=pack)
        run_search(execution, conductor, record, train, str(directory))
        watch.wait_for(0)
        watch.close()
        return {"seen": watch.seen, "at_once": share.concurrent, **record.told()}


def train(proposal: Proposal, directory: str, reporter: TrialReporter) -> None:
    """Sleep for each epoch, step by step; leave the node when it is to go, as a real trial does."""
    first = _is_first_on_its_node(proposal.trial, Path(directory))
    while len([*Path(directory).glob("node-*")]) < NODES:  # each comes at a time of its own
        time.sleep(STEP_S)
    with leaving_notice() as notice:
        for epoch in range(proposal.reported + 1, proposal.epochs + 1 if first else 2):
            for _ in range(round(EPOCH_S / STEP_S)):
                time.sleep(STEP_S)
                if notice.is_given():
                    raise notice.as_error(f"epoch {epoch}")
            reporter.report(epoch, {"val/accuracy": 0.5, "train/seconds": EPOCH_S})


def _is_first_on_its_node(trial: str, directory: Path) -> bool:
    mine = directory / f"first-{trial}"
    if mine.exists():
        return True
    try:
        (directory / f"node-{ray.get_runtime_context().get_node_id()}").touch(exist_ok=False)
    except FileExistsError:
        return False
    mine.touch()
    return True


class Few:
    """Proposes the trials."""

    is_exhausted = False
    made = 0

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        if self.made == NODES * GPUS:
            return None
        self.made += 1
        return Proposal(f"t{self.made}", Strategy(), epochs=EPOCHS)


class Record:
    """Keeps who reported what, who moved, and when each ended."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._ends: dict[str, tuple[float, str]] = {}
        self._moved: list[tuple[float, str]] = []
        self._epochs: dict[str, list[int]] = {}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *told: None

    def on_moved(self, trial: str, text: str) -> None:
        self._moved.append((self._seconds(), trial))

    def on_report(self, trial: str, epoch: int, metrics: Any) -> None:
        self._epochs.setdefault(trial, []).append(epoch)

    def on_finished(self, trial: str, end: Any) -> None:
        self._ends[trial] = (self._seconds(), end.status)

    def told(self) -> dict[str, Any]:
        return {"moved": self._moved, "epochs": self._epochs, "ends": self._ends}


if __name__ == "__main__":
    sys.exit(main())
