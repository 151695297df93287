"""What it is worth in a search over texts that frozen blocks are computed once.

The same list of strategies (every cut with every learning rate), each trained for the same epochs, two at once with a
thread each, by whole runs of graft:
    a  the feature store begins empty
    w  the store is as a has left it
    n  without a store (GRAFT_CACHE_GB=0): frozen blocks are computed in every epoch

`search` is the stage's wall time with Ray up, from its first process to the last trial's end. The ceiling is how many
times less arithmetic there is when each frozen prefix is computed once, as `graft plan` measures the blocks on this
machine; `share` is what a run reaches of it. The other stages cost the same in all and are left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reporting import json_line, provenance, table
from texts.adapted import GRAFT, run_job

EXAMPLE = """example:
  python tests/benchmarks/text_prefix.py --cache ~/.cache/graft-texts --limit 1000 --epochs 3
"""
TITLES = {"a": "store empty", "w": "store filled", "n": "without store"}
TARGET = 0.8


def job_of(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every cut with every learning rate, trained to the end; nothing is fitted after the search."""
    return {
        "version": 1,
        "name": "text-prefix",
        "data": {
            "kind": "table",
            "path": str(path),
            "text": "text",
            "label": "label",
            "split": "split",
            "limit": options.limit,
        },
        "task": "classification",
        "strategy": {
            "freeze": {"choice": [cut / 6 for cut in options.cuts]},
            "lr": {"choice": options.lrs},
            "max_tokens": options.max_tokens,
            "batch_size": 32,
        },
        "training": {"epochs": options.epochs, "final_on": "train"},
        "search": {
            "scheduler": "none",
            "searcher": "grid",
            "budget": {"trials": len(options.cuts) * len(options.lrs)},
        },
        "resources": {"cpus_per_worker": 1, "gpus_per_worker": 0},
    }


def measure(job: Mapping[str, Any], work: Path, repeats: int) -> list[dict[str, Any]]:
    """All variants, as often as asked for."""
    runs = []
    for repeat in range(repeats):
        for variant in TITLES:
            home = work / f"{repeat}-{'n' if variant == 'n' else 'a'}"
            load = os.getloadavg()[0]
            found = run_job(job, home, {"GRAFT_CACHE_GB": "0"} if variant == "n" else None)
            runs.append(
                {
                    "variant": variant,
                    "search": found["stages"]["search"],
                    "load": load,
                    "best": found["validation"],
                    **{key: found[key] for key in ("trials", "cache", "speedup", "seconds")},
                }
            )
            print(f"  {variant}  {TITLES[variant]}: {runs[-1]['search']:.1f} s", flush=True)
    return runs


def plan_of(job: Mapping[str, Any], work: Path) -> dict[str, float]:
    """The speed-up that graft predicts, and the ceiling of the arithmetic; the blocks are timed now."""
    file = work / "job.yaml"
    file.write_text(json.dumps(job))
    done = subprocess.run([GRAFT, "plan", str(file), "--json"], capture_output=True, text=True, check=True)
    plan = json.loads(done.stdout.strip().splitlines()[-1])
    return {"predicted": plan["predicted_speedup"], "ceiling": plan["ceiling"]}


def figures(runs: Sequence[Mapping[str, Any]], ceiling: float) -> dict[str, dict[str, float]]:
    """Median seconds of each variant, n over it, and its share of the ceiling."""
    medians = {
        variant: statistics.median(run["search"] for run in runs if run["variant"] == variant) for variant in TITLES
    }
    return {
        variant: {
            "search": seconds,
            "speed_up": medians["n"] / seconds,
            "share": medians["n"] / seconds / ceiling,
        }
        for variant, seconds in medians.items()
    }


def main() -> int:
    """Measure and print; 1 if a run did not train the whole list."""
    options = _parser().parse_args()
    origin = provenance()
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        work = Path(made)
        job = job_of(_table(options, work), options)
        runs = measure(job, work, options.repeats)
        planned = plan_of(job, work)
    found = figures(runs, planned["ceiling"])
    rows = [
        [variant, TITLES[variant], one["search"], one["speed_up"], one["share"], TARGET if variant == "a" else None]
        for variant, one in found.items()
    ]
    print(table(["", "variant", "search s", "n ÷ it", "share of the ceiling", "target"], rows))
    print(f"\nceiling of the arithmetic {planned['ceiling']:.2f}, predicted {planned['predicted']:.2f}")
    settings = {key: value for key, value in vars(options).items() if key != "cache"}
    print(json_line("text_prefix", origin, {"settings": settings, **planned, "variants": found, "runs": runs}))
    wanted = len(options.cuts) * len(options.lrs)
    return 0 if all(run["trials"]["completed"] == wanted for run in runs) else 1


def _table(options: argparse.Namespace, work: Path) -> Path:
    if not options.smoke:
        from text_sets import write_set

        return write_set("deb_section", 0, options.cache, options.limit, 200)
    from texts.toy import write_toy

    options.cuts, options.lrs, options.epochs, options.limit, options.max_tokens = [6, 4], [1e-3], 1, 40, 16
    return write_toy(work, "toy", options.limit, ["a", "b"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cache", type=Path, help="directory of the sets (text_sets.py)")
    add("--limit", type=int, default=1000, help="texts of training and validation (default: 1000)")
    add("--cuts", type=_numbers(int), default=[6, 5, 4], help="frozen blocks of MiniLM's six (default: 6,5,4)")
    add("--lrs", type=_numbers(float), default=[1e-4, 1e-3], help="learning rates (default: 1e-4,1e-3)")
    add("--max-tokens", type=int, default=64, help="of a text (default: 64)")
    add("--epochs", type=int, default=4, help="of each trial (default: 4)")
    add("--repeats", type=int, default=1, help="how often each variant is run (default: 1)")
    add("--smoke", action="store_true", help="made-up texts, two strategies, one epoch: a few minutes, no network")
    return parser


def _numbers(kind: type) -> Any:
    return lambda text: [kind(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
