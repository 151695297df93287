"""How much faster two processes meta-train than one: tasks a second of steps over the same tasks.

`1 worker` is one process alone, `2 workers` two that share the tasks of each step and exchange gradients by gloo over
the loopback, one torch thread each; `ratio` is the second over the first. `apart` is the ceiling of this machine: as
many processes at the same time, each with its part of the tasks in a training of its own, without any exchange, over
one. The tasks are of letters that are noise, 28 × 28 pixels: how fast they are trained does not depend on what they
show. What an epoch does between steps (moments of the samples, held-out tasks) is not in it.

Ratios are taken repeat by repeat; who goes first takes turns. Medians are shown, and the range of the ratio.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from reporting import json_line, provenance, spread, table
from torch import distributed
from torch.multiprocessing import spawn

from graft.episodes.adapters.anil import Anil
from graft.episodes.adapters.inner_loop import InnerSteps
from graft.episodes.adapters.maml import Maml
from graft.episodes.adapters.protocol import Adapter
from graft.episodes.adapters.prototypes import Prototypes
from graft.episodes.meta_learner import MetaLearner, MetaPlan
from graft.episodes.objective import MetaLoss
from graft.episodes.samples import RAW, Samples
from graft.episodes.starts.network import OwnNetwork
from graft.episodes.task_source import EpisodeShape, TaskSource
from graft.training.world import ALONE, Ranks, World

EXAMPLE = """example:
  python tests/benchmarks/meta_scaling.py --adapters prototypes,maml
  python tests/benchmarks/meta_scaling.py --smoke
"""
TARGET, WORKERS = 1.5, 2
CLASSES, SAMPLES, SIDE = 200, 20, 28
T = TypeVar("T")
Speeds = Mapping[str, float]
"""Tasks a second: ``one``, ``together`` and ``apart``."""

ADAPTERS: dict[str, Callable[[OwnNetwork], Adapter]] = {
    "prototypes": lambda start: Prototypes("euclidean"),
    "maml": lambda start: Maml(start, InnerSteps(1, 0.1, True), own_rates=True),
    "anil": lambda start: Anil(start.width, InnerSteps(3, 0.1)),
}


class Marks:
    """Sees the steps of a training taken (`graft.core.heartbeat.Watch`), and when."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def __call__(self, steps: Iterable[T], /) -> Iterable[T]:
        for step in steps:
            self.at.append(time.perf_counter())
            yield step
        self.at.append(time.perf_counter())


def tasks_a_second(adapter: str, tasks: int, options: argparse.Namespace, world: World) -> float:
    """Of all ranks together, over the steps after the warm-up."""
    torch.manual_seed(0)
    start, marks = OwnNetwork((SIDE, SIDE)), Marks()
    source = TaskSource(_noise(), EpisodeShape(5, (1,), 5), checked=True)
    plan = MetaPlan(epochs=1, steps=options.warm_up + options.steps, tasks=tasks)
    learner = MetaLearner(MetaLoss(start, ADAPTERS[adapter](start)), source, None, plan, world, marks)
    learner.train(None, validate=False)
    return tasks * options.steps / (marks.at[-1] - marks.at[options.warm_up])


def measure(rank: int, folder: str, adapter: str, tasks: int, options: argparse.Namespace) -> None:
    """What every process does; the first one writes the speeds of each repeat."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORKERS)
    world, found = Ranks(), list[Speeds]()
    ways: dict[str, Callable[[], float]] = {
        "one": lambda: tasks_a_second(adapter, tasks, options, ALONE) if rank == 0 else 0.0,
        "together": lambda: tasks_a_second(adapter, tasks, options, world),
        "apart": lambda: world.sum([tasks_a_second(adapter, tasks // WORKERS, options, ALONE)])[0],
    }
    for repeat in range(options.repeats):
        speeds = {}
        for name in list(ways)[:: -1 if repeat % 2 else 1]:
            world.sum([0.0])  # all begin at once
            speeds[name] = ways[name]()
        found.append(speeds)
    if rank == 0:
        Path(folder, "speeds.json").write_text(json.dumps(found))
    distributed.barrier()  # nobody leaves while another still speaks to it
    distributed.destroy_process_group()


def row(adapter: str, tasks: int, repeats: Sequence[Speeds]) -> dict[str, Any]:
    """Medians and ratios of a case."""
    ratios = spread([one["together"] / one["one"] for one in repeats])
    return {
        "adapter": adapter,
        "tasks": tasks,
        "one": statistics.median(one["one"] for one in repeats),
        "together": statistics.median(one["together"] for one in repeats),
        "ratio": ratios["median"],
        "range": f"{ratios['min']:.2f} to {ratios['max']:.2f}",
        "apart": statistics.median(one["apart"] / one["one"] for one in repeats),
        "met": ratios["median"] >= TARGET,
    }


def main() -> int:
    """Measure, and print."""
    options = _parser().parse_args()
    if options.smoke:
        options.adapters, options.tasks, options.steps, options.warm_up, options.repeats = ["anil"], [4], 2, 1, 1
    origin, found = provenance(), []
    for adapter in options.adapters:
        for tasks in options.tasks:
            with tempfile.TemporaryDirectory(prefix="graft-bench-") as folder:
                spawn(measure, (folder, adapter, tasks, options), WORKERS)
                found.append(row(adapter, tasks, json.loads(Path(folder, "speeds.json").read_text())))
    headers = ["adapter", "tasks a step", "1 worker", "2 workers", "ratio", "range", "apart", "met"]
    print(table(headers, [list(one.values()) for one in found]))
    print(json_line("meta_scaling", origin, {"settings": vars(options), "target": TARGET, "cases": found}))
    return 0


def _noise() -> Samples:
    count = CLASSES * SAMPLES
    grids = torch.randn(count, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return Samples.of({RAW: grids}, np.arange(count) // SAMPLES)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    names: Callable[[str], list[str]] = lambda text: text.split(",")  # noqa: E731 - a type for argparse
    numbers: Callable[[str], list[int]] = lambda text: [int(one) for one in text.split(",")]  # noqa: E731
    add("--adapters", type=names, default=list(ADAPTERS), help=f"of {', '.join(ADAPTERS)} (default: all)")
    add("--tasks", type=numbers, default=[8], help="of a step, over all workers (default: 8)")
    add("--steps", type=int, default=25, help="that are timed (default: 25)")
    add("--warm-up", type=int, default=5, help="steps before them (default: 5)")
    add("--repeats", type=int, default=3, help="how often everything is measured (default: 3)")
    add("--smoke", action="store_true", help="the smallest run that shows that it works")
    return parser


if __name__ == "__main__":
    sys.exit(main())
