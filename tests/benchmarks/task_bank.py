"""A bank of small real tasks with the learning curves of a fixed grid of strategies: what a task memory is judged on.

Pictures of four domains and texts of four, each in several sizes, subsets of labels and shares, with several backbones
at several depths. Every curve comes from graft's own learner through its feature store. Each training is a line of
`--results`; what is there is not trained again, so the script can be stopped at any time. Levels go from heads that are
solved to whole networks, over all tasks each. One process, one thread; Ray decodes the samples.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from bank.grid import LEVELS, planned
from bank.pools import pools
from bank.tasks import TASKS, BankTask, job_of
from bank.training import train
from reporting import json_line, provenance

from graft.core.storage import Home
from graft.data.dataset import Dataset
from graft.data.ingest import ingest
from graft.pipeline.ray_session import ray_session
from graft.pipeline.resolve import resolve_job
from graft.pipeline.stages.ingest import ingestion_of
from graft.spec.job import Job

EXAMPLE = """examples:
  python tests/benchmarks/task_bank.py --root usr/share --texts ~/.cache/graft-texts --home /tmp/bank --levels 0,1
  python tests/benchmarks/task_bank.py --home /tmp/bank --only digits_few,digits_alike --levels 0
"""


def jobs(options: argparse.Namespace, tasks: list[BankTask]) -> Iterator[tuple[BankTask, Job]]:
    """The jobs of the tasks, with their samples written; a pool is read once."""
    folder = options.home / "bank"
    folder.mkdir(parents=True, exist_ok=True)
    read = pools(options.root, options.texts, folder)
    for name in dict.fromkeys(task.pool for task in tasks):
        pool = read[name]()
        for task in tasks:
            if task.pool == name:
                yield task, resolve_job(Job.model_validate(job_of(task, pool, folder / "data"))).job


def datasets(found: list[tuple[BankTask, Job]], home: Home) -> dict[str, Dataset]:
    """The samples, decoded."""
    home.require_writable()
    with ray_session():
        return {task.name: ingest(ingestion_of(job), home.datasets) for task, job in found}


def done_in(path: Path) -> set[tuple[str, str]]:
    """Task and strategy of what has been trained."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {(one["task"], _key(one["strategy"])) for one in map(json.loads, lines)}


def run(options: argparse.Namespace) -> dict[str, float]:
    """Train what is missing; how many trainings there were, and their processor seconds."""
    tasks = [task for task in TASKS if not options.only or task.name in options.only]
    home, found = Home(options.home), list(jobs(options, tasks))
    decoded = datasets(found, home)
    done, begun, count = done_in(options.results), time.process_time(), 0
    with options.results.open("a") as stream:
        for level in options.levels:
            for task, job in found:
                for one in planned(job.data.modality, job.decided_task, level):
                    plain = one.strategy.model_dump(mode="json")
                    if (task.name, _key(plain)) in done:
                        continue
                    line = {"task": task.name, "pool": task.pool, **train(one, job, decoded[task.name], home)}
                    stream.write(json.dumps(line) + "\n")
                    stream.flush()
                    count += 1
                print(f"level {level} {task.name}: {time.process_time() - begun:.0f} s", flush=True)
    return {"trainings": count, "seconds": time.process_time() - begun}


def main() -> int:
    """Train, and say what it took."""
    torch.set_num_threads(1)
    options = _parser().parse_args()
    options.home = options.home.absolute()
    options.results = options.results or options.home / "bank.jsonl"
    options.home.mkdir(parents=True, exist_ok=True)
    origin = provenance()
    print(json_line("task_bank", origin, run(options)))
    return 0


def _key(strategy: dict[str, Any]) -> str:
    return json.dumps(strategy, sort_keys=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--home", type=Path, required=True, help="directory for samples and features")
    add("--results", type=Path, help="a line a training (default: bank.jsonl in --home)")
    add("--root", type=Path, default=Path("/usr/share"), help="where the packages of the pictures are unpacked")
    add("--texts", type=Path, default=Path.home() / ".cache/graft-texts", help="cache of text_sets.py")
    add("--only", type=lambda text: text.split(","), default=[], help="names of tasks (default: all)")
    levels = list(range(LEVELS))
    add("--levels", type=lambda text: [int(one) for one in text.split(",")], default=levels, help="of the grid")
    return parser


if __name__ == "__main__":
    sys.exit(main())
