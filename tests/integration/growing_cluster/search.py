"""A search on a cluster that grows from nothing: which nodes come when, and when they leave; prints what it saw.

Its trials declare GPUs that are not there, and sleep: what is tried is who asks Ray for what, and who lets go of it.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from growing import NodeWatch, dump, growing_cluster, launcher_file

from graft.clusters.autoscaling.bill import NodeCount
from graft.clusters.node_types import launched_cluster
from graft.clusters.prices import Prices
from graft.journal.events import NodesCounted
from graft.pipeline.ray_session import nodes_there_may_be, ray_session
from graft.pipeline.scaling.cluster_plan import make_cluster_plan
from graft.pipeline.scaling.packing import packing_of
from graft.pipeline.scaling.picture import draw
from graft.search.conductor import Conductor
from graft.search.outlook import worth_at_once
from graft.search.protocol import Duplicate, Proposal, TrialReporter
from graft.search.schedulers.build import build_scheduler
from graft.search.tuner import Execution, run_search
from graft.spec.job import Job
from graft.spec.resources import PriceSpec
from graft.spec.strategy import Strategy
from graft.workers.allocation import allocate
from graft.workers.nodes.meter import counting_nodes

# Nodes that leave before they have been idle for so long were let go.
EPOCH_S, IDLE_S = 4.0, 60.0
TRIALS, EPOCHS = 12, 9
# The best begins last, and those before it stop at their first rung, so that it trains alone in the end.
ORDER = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 11]
KINDS = {
    "data": {"resources": {"CPU": 2}, "max_workers": 1},
    "gpu": {"resources": {"CPU": 1, "GPU": 1}, "max_workers": 2},
    "gpu_spot": {"resources": {"CPU": 1, "GPU": 1}, "max_workers": 6, "priority": 1},
}
JOB = {
    "name": "growing",
    "data": {"kind": "digits"},
    "strategy": {"lr": {"loguniform": [1e-4, 1e-2]}},
    "training": {"epochs": EPOCHS, "final_on": "train"},
    "search": {"scheduler": {"kind": "asha", "grace_epochs": 1}, "budget": {"trials": TRIALS}},
    "resources": {"gpus_per_worker": 1},
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="g") as name:
        file = Path(name) / "cluster.yaml"
        dump(file, launcher_file(KINDS, IDLE_S))
        with growing_cluster(file, Path(name) / "r") as address:
            os.environ |= {"RAY_ADDRESS": address, "GRAFT_CLUSTER": str(file)}
            found = _search(file, Path(name))
    for picture in sys.argv[1:]:
        draw(
            [NodeCount(*one) for one in found["seen"]],
            Path(picture),
            f"4 trials at once, ASHA, idle time-out {IDLE_S:.0f} s",
        )
    sys.stdout.write(json.dumps(found))


def _search(file: Path, directory: Path) -> dict[str, Any]:
    job = Job.model_validate(JOB)
    prices = Prices("2026-01-01", "EUR", 5.0, {}, {})
    plan = make_cluster_plan(job, launched_cluster(file), prices, EPOCH_S)
    with ray_session() as resources:
        share = allocate(job.resources, resources.at_its_largest(), worth_at_once(job))
        watch, record = NodeWatch(KINDS), Record()
        phase = job.phases[0]
        scheduler = build_scheduler(phase, job.objective, job.search.seed, job.strategy)
        conductor = Conductor(scheduler, Few(), record, job.objective, share.concurrent)
        asked = {"CPU": share.cpus, "GPU": share.gpus}
        pack = packing_of(share, nodes_there_may_be(), lambda *one: None)
        execution = Execution(
            "search", directory, job.objective, asked, share.concurrent, labels=share.labels, pack=pack
        )
        record.seconds = lambda: watch.seconds
        with counting_nodes(record.counted.append, PriceSpec(node_hour={"gpu_spot": 3.6}), None):
            run_search(execution, conductor, record, train, None)
        ended = watch.seconds
        watch.wait_for(0)
        watch.close()
        return {
            "planned": plan.peak,
            "at_once": share.concurrent,
            "seen": watch.seen,
            "ended": ended,
            "ends": record.ends,
            "counted": [vars(one) for one in record.counted],
        }


def train(proposal: Proposal, payload: Any, reporter: TrialReporter) -> None:
    """Sleep for each epoch; how good a trial is stands in its learning rate."""
    for epoch in range(1, proposal.epochs + 1):
        time.sleep(EPOCH_S)
        reporter.report(epoch, {"val/accuracy": proposal.strategy.lr, "train/seconds": EPOCH_S})


class Few:
    """Proposes the trials."""

    is_exhausted = False
    made = 0

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        if self.made == TRIALS:
            return None
        self.made += 1
        quality = (1 + ORDER[self.made - 1]) / (2 * TRIALS)
        return Proposal(f"t{self.made:02d}", Strategy(lr=quality), epochs=EPOCHS)


class Record:
    """Keeps when each trial ended."""

    def __init__(self) -> None:
        self.ends: dict[str, float] = {}
        self.counted: list[NodesCounted] = []
        self.seconds: Callable[[], float] = lambda: 0.0

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *told: None

    def on_finished(self, trial: str, end: Any) -> None:
        self.ends[trial] = self.seconds()


if __name__ == "__main__":
    sys.exit(main())
