"""Whether a run keeps to its budget: `graft run` with `budget.minutes`, for several budgets, trials without limit.

Each run is a process with a home of its own, so nothing is cached: the budget covers ingest, search, final fit,
evaluation, export and registration. `used` is what graft says it used (`budget.used_s` of its JSON summary), `off` is
its distance from what was asked for, as a share of that; the target is 5 % for every budget. `process` is the wall time
of the whole process as its user sees it, with imports, the end of Ray and the last records' way into MLflow.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from reporting import REPOSITORY, json_line, provenance, table

EXAMPLE = """example:
  python tests/benchmarks/budget.py --minutes 1.5,2,2.5,3,4
  python tests/benchmarks/budget.py --smoke
"""
GRAFT = str(Path(sys.executable).with_name("graft"))
TARGET = 0.05
KEPT = ("status", "error", "stages", "trials", "validation", "test")
JOB: dict[str, Any] = {
    "version": 1,
    "name": "budget",
    "data": {"kind": "digits"},
    "strategy": {
        "freeze": {"choice": [0.25, 0.5, 0.75, 1.0]},
        "lr": {"loguniform": [1e-3, 6e-3]},
        "augment": {"choice": ["none", "light"]},
        "resolution": 32,
    },
    "training": {"epochs": 4},
    "search": {"scheduler": {"kind": "asha", "reduction_factor": 3}},
}


SMOKE = {"data": {"kind": "digits", "limit": 200}, "training": {"epochs": 2}}
SMOKE_MINUTES = 1.5


def run(job: Mapping[str, Any], minutes: float, seed: int, work: Path) -> dict[str, Any]:
    """Run a job with a budget; what it says of it, and how it ended."""
    search = {**job["search"], "seed": seed, "budget": {"minutes": minutes}}
    file = work / f"{minutes:g}.yaml"
    file.write_text(yaml.safe_dump({**job, "search": search}))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=work) as home:
        command = [GRAFT, "run", str(file), "--json", "--home", home]
        done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    process_s = time.perf_counter() - started
    lines = done.stdout.strip().splitlines()
    summary = json.loads(lines[-1]) if lines else {"status": "failed", "error": f"exit code {done.returncode}"}
    kept = {name: summary[name] for name in KEPT if name in summary}
    return {"minutes": minutes, **kept, **summary.get("budget", {}), "process_s": process_s}


def off(result: Mapping[str, Any], used: str = "used_s") -> float | None:
    """Distance from the budget, as a share of it; None if the run failed."""
    if result["status"] != "completed":
        return None
    return abs(result["asked_s"] - result[used]) / result["asked_s"]


def rows(results: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Lines of the table."""
    found = []
    for one in results:
        mine = off(one)
        trials = one["trials"]["total"] if "trials" in one else None
        asked, used = one["minutes"] * 60, one.get("used_s")
        found.append(
            [asked, used, mine, one["process_s"], one.get("stopped_by"), trials, mine is not None and mine <= TARGET]
        )
    return found


def main() -> int:
    """Measure, print, and return 1 if a run failed (a missed target is only shown)."""
    options = _parser().parse_args()
    origin = provenance()
    job, minutes = (JOB | SMOKE, [SMOKE_MINUTES]) if options.smoke else (JOB, options.minutes)
    results = []
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as name:
        for place, one in enumerate(minutes):
            result = run(job, one, options.seed + place, Path(name))
            told = f"used {result['used_s']:.1f}" if "used_s" in result else result.get("error", result["status"])
            print(f"  {place + 1}/{len(minutes)} {one:g} minutes, {one * 60:.0f} s: {told}", flush=True)
            results.append(result)
    print(f"\n{table(['asked s', 'used s', 'off', 'process s', 'stopped by', 'trials', 'met'], rows(results))}\n")
    shares = [share for one in results if (share := off(one)) is not None]
    most = max(shares, default=None)
    print(f"most: {most:.4f} of the budget; target {TARGET}\n" if most is not None else "no run was completed\n")
    settings = {"minutes": minutes, "seed": options.seed, "job": job}
    print(json_line("budget", origin, {"settings": settings, "most": most, "target": TARGET, "runs": results}))
    return 0 if len(shares) == len(results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    default = [1.5, 2.0, 2.5, 3.0, 4.0]
    add("--minutes", type=_minutes, default=default, help="budgets (default: 1.5,2,2.5,3,4, together 13 minutes)")
    add("--seed", type=int, default=0, help="of the first run; each further one has the next (default: 0)")
    add("--smoke", action="store_true", help="the smallest run that shows that it works")
    return parser


def _minutes(text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) <= 0:
        raise argparse.ArgumentTypeError(f"is `{text}`, but must be minutes above 0 with commas between them")
    return found


if __name__ == "__main__":
    sys.exit(main())
