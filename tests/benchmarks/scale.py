"""Node-seconds and wall-clock of searches on a cluster that grows and shrinks, against ideal packing; simulated.

Lengths and learning curves are those of 144 recorded trials (`recorded/digits_trials.json`, six searches on the digits:
seconds of an epoch over their mean, validation accuracy after each), drawn with replacement and a little noise. Every
decision is graft's own: conductor, ASHA, how many trials run at once (`search/outlook.py`, on whole nodes), and which
nodes are emptied when no trial is to begin any more (`clusters/autoscaling/packing.py`; a trial that moves loses 20 s).
The nodes are those of `clusters/autoscaling`: paid for from the moment they are asked for, of use `--startup` seconds
later, gone when they have been idle for `--idle` seconds, or soon after they were emptied.

- *paid*: node-seconds that are paid, over those that the same epochs take where they are packed without a gap.
- *wall*: the end of the search, over the end of the same search with all nodes of the cluster there from the start.
"""

import argparse
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reporting import json_line, provenance, table

from graft.clusters.autoscaling.fleet import Fleet
from graft.clusters.autoscaling.gang import Gang
from graft.clusters.node_types import ClusterNodes, NodeType
from graft.pipeline.scaling.played_search import Silent
from graft.search.conductor import Conductor
from graft.search.outlook import worth_at_once
from graft.search.protocol import Duplicate, Proposal
from graft.search.schedulers.build import build_scheduler
from graft.search.simulation import simulate
from graft.spec.job import Job
from graft.spec.strategy import Strategy
from graft.workers.allocation import ClusterResources, Node, on_whole_nodes

RECORDED = Path(__file__).parent / "recorded" / "digits_trials.json"
EPOCHS, NOISE = 9, 0.01
SHORTEST = 0.02
MOST_NODES = 64


@dataclass(frozen=True)
class Setting:
    """One search, and its cluster.

    Attributes:
        trials: of the search.
        nodes: of the cluster at most.
        gpus: of each node; a trial has one.
        epoch: mean seconds of an epoch.
        startup: seconds from asking for a node to using it.
        idle: seconds after which an idle node leaves.
        at_once: trials at once; None is what graft decides.
        seed: of what is drawn.
    """

    trials: int
    nodes: int = MOST_NODES
    gpus: int = 1
    epoch: float = 120.0
    startup: float = 180.0
    idle: float = 60.0
    at_once: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Played:
    """Seconds of a search; those of nodes are of all of them together."""

    wall: float
    paid: float
    work: float


class Recorded:
    """Trials as they were recorded, one for each name."""

    def __init__(self, seed: int) -> None:
        self._rows, self._seed = json.loads(RECORDED.read_text()), seed
        self._drawn: dict[str, tuple[float, list[float]]] = {}

    def of(self, trial: str) -> tuple[float, list[float]]:
        """Length of its epochs over the mean, and its accuracies."""
        if trial not in self._drawn:
            rng = random.Random(f"{self._seed}-{trial}")
            row, shift = rng.choice(self._rows), rng.gauss(0.0, NOISE)
            self._drawn[trial] = max(row["length"], SHORTEST), [one + shift for one in row["accuracy"]]
        return self._drawn[trial]


class Few:
    """Proposes so many trials."""

    is_exhausted = False

    def __init__(self, count: int) -> None:
        self._count, self._made = count, 0

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        if self._made == self._count:
            return None
        self._made += 1
        return Proposal(f"t{self._made:05d}", Strategy(), epochs=EPOCHS)


def job_of(setting: Setting) -> Job:
    """The job whose search is played."""
    search = {"scheduler": {"kind": "asha", "grace_epochs": 1}, "budget": {"trials": setting.trials}}
    given = {"strategy": {"lr": {"loguniform": [1e-4, 1e-2]}}, "training": {"epochs": EPOCHS}}
    given |= {"resources": {"gpus_per_worker": 1}}
    return Job.model_validate({"name": "scale", "data": {"kind": "digits"}, "search": search, **given})


def play(setting: Setting, is_ideal: bool = False) -> Played:
    """Play a search; ideally, all nodes are there, and nobody waits for a place."""
    job, recorded, work = job_of(setting), Recorded(setting.seed), [0.0]
    room = setting.nodes * setting.gpus
    there = ClusterResources((Node(float(setting.gpus), float(setting.gpus)),) * setting.nodes)
    decided = setting.at_once or on_whole_nodes(worth_at_once(job), job.resources, there) or room
    slots = room if is_ideal else min(decided, room)
    kind = NodeType("gpu", {"GPU": setting.gpus}, most=setting.nodes)
    cluster = ClusterNodes("aws", NodeType("head", {}), (kind,), setting.nodes, setting.idle)
    fleet = Fleet(cluster, Gang(1, {"GPU": 1}), 0.0 if is_ideal else setting.startup)

    def curve(proposal: Proposal, epoch: int) -> Mapping[str, float]:
        accuracy = recorded.of(proposal.trial)[1]
        return {"val/accuracy": accuracy[min(epoch, len(accuracy)) - 1]}

    def seconds(proposal: Proposal, epoch: int) -> float:
        taken = recorded.of(proposal.trial)[0] * setting.epoch
        work[0] += taken
        return taken

    scheduler = build_scheduler(job.phases[0], job.objective, 0, job.strategy)
    conductor = Conductor(scheduler, Few(setting.trials), Silent(), job.objective, slots)
    wall = simulate(conductor, curve, seconds, fleet)
    last = fleet.end(wall)
    paid = sum(min(node.ended, last) - node.launched for node in fleet.nodes)
    return Played(wall, paid, work[0] / setting.gpus)


def ratios(settings: Sequence[Setting]) -> dict[str, float]:
    """Means over settings that differ in their seeds."""
    pairs = [(play(one), play(one, is_ideal=True)) for one in settings]
    count = len(pairs)
    return {
        "paid": round(sum(real.paid / real.work for real, _ in pairs) / count, 3),
        "wall": round(sum(real.wall / ideal.wall for real, ideal in pairs) / count, 3),
        "node_hours": round(sum(real.paid for real, _ in pairs) / count / 3600, 2),
        "hours": round(sum(real.wall for real, _ in pairs) / count / 3600, 2),
    }


def main() -> None:
    """Print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[24, 200, 2000])
    parser.add_argument("--nodes", type=int, default=MOST_NODES)
    parser.add_argument("--gpus", type=int, default=1, help="Of a node; with more than one, trials share nodes.")
    parser.add_argument("--epoch", type=float, default=120.0, help="Mean seconds of an epoch.")
    parser.add_argument("--startup", type=float, default=180.0)
    parser.add_argument("--idle", type=float, default=60.0)
    parser.add_argument("--at-once", type=int, help="Trials at once, in the place of what graft decides.")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    for trials in options.trials:
        given = (trials, options.nodes, options.gpus, options.epoch, options.startup, options.idle, options.at_once)
        found.append({"trials": trials, **ratios([Setting(*given, seed) for seed in range(options.seeds)])})
    print(table([*found[0]], [[str(value) for value in one.values()] for one in found]))
    print(json_line("scale", provenance(), {"settings": vars(options), "searches": found}))


if __name__ == "__main__":
    main()
