"""Whether a population of distributed trials copies as it should: exploits, and how deep the lineage goes.

The same population is run three ways on the same replayed curves: in a simulation, through Ray Tune with one worker a
trial, and through Ray Tune with a group of gloo workers a trial. Schedulers, checkpoint pointers, processes, process
groups and the way of every report are those of a real search; only the weights are one number, and an epoch takes no
time (replayed_curves.py). With the stock callback of Ray Train the number of exploits is 0.

`exploits` counts copies, `depth` is how often the weights changed hands that did so most often. Who copied whom, and at
which epoch, has to be the same all three ways: `equal`. Otherwise the benchmark returns 1.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from replayed_curves import replay_alone, replay_in_group, replay_simulated
from reporting import json_line, provenance, table
from sessions import own_ray
from watching import Watcher

from graft.learner.trial import run_trial_in_group
from graft.pipeline.stages.trial_runner import DRIVER_RESOURCES
from graft.search.conductor import Conductor
from graft.search.proposer import SearchProposer
from graft.search.schedulers.build import build_scheduler
from graft.search.searchers.build import build_searcher
from graft.search.simulation import simulate
from graft.search.tuner import Execution, run_search
from graft.spec.search.phases import Phase, phases_of
from graft.spec.search.search import SearchSpec
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.lookup import metric_named
from graft.workers.groups.group import WorkerGroups
from graft.workers.groups.lease import GroupsHandle
from graft.workers.groups.shape import GroupShape

EXAMPLE = """example:
  python tests/benchmarks/pbt_ddp.py --seeds 5
  python tests/benchmarks/pbt_ddp.py --smoke
"""
SPACE = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}})
ACCURACY = metric_named("accuracy")
WAYS = ("simulated", "one worker", "group")


@dataclass(frozen=True)
class Population:
    """What is searched.

    Attributes:
        scheduler: ``pbt`` or ``pb2``.
        size: trials.
        epochs: of each; every one but the last is followed by a comparison.
        slots: trials at once.
        workers: of a trial, where it has several.
    """

    scheduler: str
    size: int
    epochs: int
    slots: int
    workers: int

    @property
    def phase(self) -> Phase:
        """As a job with this population has it."""
        spec = SearchSpec.model_validate({"scheduler": self.scheduler, "population": self.size})
        return phases_of(spec, self.epochs)[0]

    def conductor(self, seed: int) -> tuple[Conductor, Watcher]:
        """A search at its beginning."""
        phase, watcher = self.phase, Watcher()
        searcher = build_searcher(phase.searcher, SPACE, ACCURACY, seed)
        scheduler = build_scheduler(phase, ACCURACY, seed, SPACE)
        return Conductor(scheduler, SearchProposer(searcher, phase), watcher, ACCURACY, self.slots), watcher


@dataclass(frozen=True)
class Run:
    """One search; `copies` are (trial, donor, epoch)."""

    seed: int
    way: str
    exploits: int
    depth: int
    reports: int
    seconds: float
    copies: tuple[tuple[str, str, int], ...]
    has_finished: bool


def measured(seed: int, way: str, watcher: Watcher, search: Callable[[], object]) -> Run:
    """Run a search and say what came of it."""
    started = time.perf_counter()
    search()
    seconds = time.perf_counter() - started
    copies = tuple(sorted(watcher.copies))
    depth = watcher.lineage.depth
    return Run(seed, way, len(copies), depth, watcher.reports, seconds, copies, watcher.has_finished)


def simulated(population: Population, seed: int) -> Run:
    """Without Ray and without a second process."""
    conductor, watcher = population.conductor(seed)
    with tempfile.TemporaryDirectory() as name:
        marks = Path(name)
        return measured(
            seed, "simulated", watcher, lambda: simulate(conductor, lambda one, at: replay_simulated(one, at, marks))
        )


def is_equal(runs: Sequence[Run]) -> bool:
    """Whether all of them went the same way to the end."""
    return len({(run.copies, run.reports) for run in runs}) == 1 and all(run.has_finished for run in runs[1:])


def rows(runs: Sequence[Run]) -> list[list[Any]]:
    """Lines of the table, by seed."""
    found = []
    for seed in dict.fromkeys(run.seed for run in runs):
        mine = [run for run in runs if run.seed == seed]
        found += [
            [seed, run.way, run.exploits, run.depth, run.reports, run.seconds, is_equal([mine[0], run])] for run in mine
        ]
    return found


def main() -> int:
    """Measure, print, and return 1 if a seed did not give the same search each way, or never copied."""
    options = _parser().parse_args()
    if options.smoke:
        options.seeds, options.epochs = 1, 3
    origin = provenance()
    population = Population(options.scheduler, options.population, options.epochs, options.slots, options.workers)
    with own_ray() as resources, tempfile.TemporaryDirectory(prefix="graft-bench-") as name:
        bench = _Bench(population, Path(name), resources.cpus)
        runs = bench.run(range(options.seeds))
    print(f"\n{table(['seed', 'way', 'exploits', 'depth', 'reports', 's', 'equal'], rows(runs))}\n")
    by_seed = [[run for run in runs if run.seed == seed] for seed in range(options.seeds)]
    all_equal = all(is_equal(mine) and mine[0].exploits > 0 for mine in by_seed)
    settings = {name: value for name, value in vars(options).items()}
    results = {"settings": settings, "all_equal": all_equal, "runs": [asdict(run) for run in runs]}
    print(json_line("pbt_ddp", origin, results))
    return 0 if all_equal else 1


@dataclass(frozen=True)
class _Bench:
    """Runs the same searches each way; Ray is up."""

    population: Population
    work: Path
    cpus: float

    def run(self, seeds: Sequence[int]) -> list[Run]:
        marks, size = self.work / "marks", self.population
        shape = GroupShape(size.workers, self.cpus / size.slots / size.workers)
        runs = []
        with WorkerGroups(shape, size.slots, replay_in_group, marks, self.work) as groups:
            # The groups hold all CPUs, and wait; processes of one worker compute nothing, so they need none.
            for seed in seeds:
                runs.append(simulated(size, seed))
                runs.append(self._one_worker(seed, marks))
                runs.append(self._group(seed, marks, groups.handle))
                print(f"  seed {seed}: {', '.join(f'{run.exploits} {run.way}' for run in runs[-3:])}", flush=True)
        return runs

    def _one_worker(self, seed: int, marks: Path) -> Run:
        conductor, watcher = self.population.conductor(seed)
        execution = self._execution(f"alone-{seed}", marks)
        return measured(
            seed, "one worker", watcher, lambda: run_search(execution, conductor, watcher, replay_alone, marks)
        )

    def _group(self, seed: int, marks: Path, handle: GroupsHandle) -> Run:
        conductor, watcher = self.population.conductor(seed)
        execution = self._execution(f"group-{seed}", marks)
        return measured(
            seed, "group", watcher, lambda: run_search(execution, conductor, watcher, run_trial_in_group, handle)
        )

    def _execution(self, name: str, marks: Path) -> Execution:
        shutil.rmtree(marks, ignore_errors=True)
        marks.mkdir()
        return Execution(name, self.work / "tune", ACCURACY, DRIVER_RESOURCES, self.population.slots)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--scheduler", choices=["pbt", "pb2"], default="pbt", help="(default: pbt)")
    add("--population", type=int, default=4, help="trials (default: 4)")
    add("--epochs", type=int, default=8, help="epochs of each (default: 8)")
    add("--seeds", type=int, default=3, help="searches each way (default: 3)")
    add(
        "--slots", type=int, default=2, help="trials at once; fewer than the population have to take turns (default: 2)"
    )
    add("--workers", type=int, default=2, help="workers of a group (default: 2)")
    add("--smoke", action="store_true", help="the smallest run that shows that it works")
    return parser


if __name__ == "__main__":
    sys.exit(main())
