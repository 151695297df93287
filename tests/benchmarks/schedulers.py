"""Which scheduler finds the best model with the same number of epochs.

Every method may train as many epochs (`--budget`), those of trials that were stopped included, on the same data, from
the same space and with the same seeds: of the split, of the search and of every training. `epochs` is what it made of
that. `test` is the accuracy, on rows that nothing has seen before, of the weights with the best validation accuracy of
the search; nothing is trained anew. `to 99 %` is how many epochs a method had trained when its best validation accuracy
came to 99 % of the best that any method reached with this seed; a run that never came there counts as the whole budget,
and `reached` tells how many did. Intervals are 95 % intervals of the mean over the seeds (Student's t); `gain` is the
difference to `random`, taken seed by seed.

The search stage is graft's own, the training is real, only Ray is left out (comparison/in_process.py): trials run side
by side in simulated time, so that a run can be repeated exactly. Each finished run is a line of `--out`; started again
with the same file and sizes, the benchmark goes on where it was. All runs of the default sizes take about 40 minutes on
two cores; `--seeds 1` gives a first look in 8.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from comparison.methods import METHODS, Sizes
from comparison.runs import Task, run
from comparison.scores import rows, summarise
from reporting import json_line, provenance, table, usable_cpus
from sessions import own_ray

from graft.core.storage import Home
from graft.data.ingest import ingest
from graft.pipeline.stages.ingest import ingestion_of

EXAMPLE = """example:
  python tests/benchmarks/schedulers.py --idx fashion-mnist=DIRECTORY --out schedulers.jsonl
  python tests/benchmarks/schedulers.py --smoke
"""
SMOKE_METHODS = ["random", "asha->pbt"]


def main() -> int:
    """Run what is missing in `--out`, and print the table of all runs in it."""
    options = _parser().parse_args()
    if options.smoke:
        options.budget, options.epochs, options.limit, options.seeds, options.only = 6, 2, 100, 1, SMOKE_METHODS
    origin = provenance()
    wanted = tasks(options)
    keep = nullcontext(options.work) if options.work else tempfile.TemporaryDirectory(prefix="graft-bench-")
    with keep as name:
        work = Path(name).absolute()
        work.mkdir(parents=True, exist_ok=True)
        out = options.out or work / "runs.jsonl"
        _run_missing(wanted, out, work, options.processes)
        runs = _finished(out, wanted)
    found = summarise(runs, options.budget)
    headers = ["data", "method", "runs", "test", "gain", "validation", "to 99 %", "reached", "epochs", "trials"]
    print(f"\n{table(headers, rows(found))}\n")
    settings = {"sizes": asdict(wanted[0].sizes), "seeds": options.seeds, "methods": options.only}
    print(json_line("schedulers", origin, {"settings": settings, "methods": found}))
    return 0 if len(runs) == len(wanted) else 1


def tasks(options: argparse.Namespace) -> list[Task]:
    """All runs, those of a seed together, so that a part of them is a fair sample."""
    sizes = Sizes(options.budget, options.epochs, options.limit, options.slots)
    sources = {"digits": "digits", **dict(options.idx)}
    return [
        Task(data, source, method, seed, sizes)
        for seed in range(options.seeds)
        for data, source in sources.items()
        for method in options.only
    ]


def _run_missing(wanted: Sequence[Task], out: Path, work: Path, processes: int) -> None:
    """Run what `out` does not hold yet; every result is written down at once."""
    missing = [task for task in wanted if not _finished(out, [task])]
    print(f"{len(missing)} of {len(wanted)} runs, results in {out}", flush=True)
    if not missing:
        return
    # Inherited by the processes that train; two of them must not want more than two cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    datasets = _ingest(missing, work)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(run, task, dataset, work): task for task, dataset in datasets.items()}
        for count, future in enumerate(as_completed(running), start=1):
            title = f"  {count}/{len(missing)} {_title(running[future])}"
            if error := future.exception():
                print(f"{title} failed: {type(error).__name__}: {error}", flush=True)
                continue
            found = future.result()
            with out.open("a") as lines:
                lines.write(json.dumps(found) + "\n")
            told = f"validation {found['validation']:.4f}, test {found['test']:.4f}, {found['seconds']:.0f} s"
            print(f"{title}: {told}", flush=True)


def _ingest(missing: Sequence[Task], work: Path) -> dict[Task, Path]:
    """The directory of the data of each; the same data is read once."""
    with own_ray():
        cache = Home.find(work / "home").datasets
        return {task: ingest(ingestion_of(task.job), cache).directory for task in missing}


def _finished(out: Path, wanted: Sequence[Task]) -> list[dict[str, Any]]:
    """The runs in `out` that are among the wanted ones."""
    keys = [task.key for task in wanted]
    lines = out.read_text().splitlines() if out.exists() else []
    found = [json.loads(line) for line in lines]
    return [one for one in found if {name: one[name] for name in keys[0]} in keys]


def _title(task: Task) -> str:
    return f"{task.data} {task.method}, seed {task.seed}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default, add = Sizes(), parser.add_argument
    add("--idx", type=_idx, action="append", default=[], metavar="NAME=DIRECTORY", help="IDX files, beside digits")
    add(
        "--only", type=_methods, default=list(METHODS), help=f"methods, such as asha,pbt (default: {','.join(METHODS)})"
    )
    add("--seeds", type=int, default=5, help="runs of each method on each data set (default: 5)")
    add("--budget", type=int, default=default.budget, help=f"epochs of a run (default: {default.budget})")
    add("--epochs", type=int, default=default.epochs, help=f"most epochs of a trial (default: {default.epochs})")
    add("--limit", type=int, default=default.limit, help=f"training and validation images (default: {default.limit})")
    add("--slots", type=int, default=default.slots, help=f"trials at once, simulated (default: {default.slots})")
    add("--processes", type=int, default=usable_cpus(), help="runs at once, one CPU each (default: the CPUs)")
    add("--out", type=Path, help="where finished runs are kept, one JSON line each; the benchmark goes on from it")
    add("--work", type=Path, help="keep data in this directory (default: a temporary one)")
    add("--smoke", action="store_true", help="the smallest run that shows that it works")
    return parser


def _idx(text: str) -> tuple[str, str]:
    name, _, directory = text.partition("=")
    if not (name and Path(directory).is_dir()):
        raise argparse.ArgumentTypeError(f"is `{text}`, but must be a name and an existing directory, NAME=DIRECTORY")
    return name, str(Path(directory).absolute())


def _methods(text: str) -> list[str]:
    chosen = [part.strip() for part in text.split(",")]
    if odd := [part for part in chosen if part not in METHODS]:
        raise argparse.ArgumentTypeError(f"is `{odd[0]}`, but must be of {', '.join(METHODS)}")
    return list(dict.fromkeys(chosen))


if __name__ == "__main__":
    sys.exit(main())
