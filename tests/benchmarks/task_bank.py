"""A bank of small real tasks with the learning curves of a fixed grid of strategies: what a task memory is judged on.

Pictures of four domains and texts of four, each in several sizes, subsets of labels and shares, with several backbones
at several depths. Every curve comes from graft's own learner through its feature store. Each training is a line of
`--results`; what is there is not trained again, so the script can be stopped at any time. Levels go from heads that are
solved to whole networks, over all tasks each. One process, one thread; Ray decodes the samples.
"""

import argparse
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from bank.files import entry, lines_of, records, scores, write_bank
from bank.grid import LEVELS, planned
from bank.pools import pools
from bank.tasks import TASKS, BankTask, job_of
from bank.training import train
from reporting import json_line, provenance

from graft.core.storage import Home
from graft.data.dataset import Dataset
from graft.data.ingest import ingest
from graft.meta.memory.records import Record, Scores, TaskEntry
from graft.pipeline.features.extract import is_there
from graft.pipeline.ray_session import ray_session
from graft.pipeline.resolve import resolve_job
from graft.pipeline.stages.ingest import ingestion_of
from graft.spec.job import Job
from graft.tracking.provenance import machine

FEWEST_TRAININGS = 8
"""A task with fewer is not exported: it was only begun."""
EXAMPLE = """examples:
  python tests/benchmarks/task_bank.py --root usr/share --texts ~/.cache/graft-texts --home BANK --levels 0,1
  python tests/benchmarks/task_bank.py --home BANK --only digits_few,digits_alike --levels 0
  python tests/benchmarks/task_bank.py --home BANK --export tests/assets/bank
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
    work = {task.name: ingestion_of(job) for task, job in found}
    with contextlib.nullcontext() if all(is_there(one, home) for one in work.values()) else ray_session():
        return {name: ingest(one, home.datasets) for name, one in work.items()}


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


def export(options: argparse.Namespace) -> dict[str, float]:
    """Write the tasks of which something was trained as files of a memory; how many entries there are."""
    lines = lines_of([options.results, *options.also])
    counts = Counter(line["task"] for line in lines)
    trained = {task for task, count in counts.items() if count >= FEWEST_TRAININGS}
    home, found = Home(options.home), list(jobs(options, [task for task in TASKS if task.name in trained]))
    decoded = datasets(found, home)
    entries: list[Record | Scores | TaskEntry] = list(
        records(lines, {task.name: job for task, job in found}, machine())
    )
    for task, job in found:
        entries.append(entry(task.name, job, decoded[task.name], home))
        entries += scores(task.name, job, decoded[task.name], home)
    return {**write_bank(options.export, entries), "trained": len(lines)}


def main() -> int:
    """Train, or write what was trained, and say what it took."""
    torch.set_num_threads(1)
    options = _parser().parse_args()
    options.home = options.home.absolute()
    options.results = options.results or options.home / "bank.jsonl"
    options.home.mkdir(parents=True, exist_ok=True)
    origin = provenance()
    print(json_line("task_bank", origin, export(options) if options.export else run(options)))
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
    add(
        "--export",
        type=Path,
        help="train nothing; write what was trained as records, scores and tasks to this directory",
    )
    add("--also", type=Path, nargs="*", default=[], help="more files of results to export")
    add("--root", type=Path, default=Path("/usr/share"), help="where the packages of the pictures are unpacked")
    add("--texts", type=Path, default=Path.home() / ".cache/graft-texts", help="cache of text_sets.py")
    add("--only", type=lambda text: text.split(","), default=[], help="names of tasks (default: all)")
    levels = list(range(LEVELS))
    add("--levels", type=lambda text: [int(one) for one in text.split(",")], default=levels, help="of the grid")
    return parser


if __name__ == "__main__":
    sys.exit(main())
