"""Runs whole jobs as a user does, `graft run JOB --json`, and holds what comes out against the targets.

Each job gets a home of its own, so nothing is cached: the seconds include ingest, search, final fit, evaluation, export
and registration. `test` is the score on rows that nothing has seen before, with its 95 % interval. Targets are those of
the shipped jobs; with --set the job is another one, and they are only there for orientation.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reporting import REPOSITORY, json_line, provenance, table

from graft.spec.load import load_job

EXAMPLE = """example:
  python tests/benchmarks/end_to_end.py jobs/digits.yaml --set search.budget.trials=2 --set training.epochs=1
"""
GRAFT = str(Path(sys.executable).with_name("graft"))
STAGES = ("ingest", "search", "fit", "evaluate", "export", "register")


@dataclass(frozen=True)
class Target:
    """What a shipped job has to reach on two CPU cores."""

    test: float
    minutes: float


TARGETS = {"jobs/digits.yaml": Target(0.97, 5.0), "jobs/fashion_mnist.yaml": Target(0.87, 15.0)}


def main() -> int:
    """Run, print, and return 1 if a job did not come to its end (a missed target is only shown)."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("jobs", nargs="*", help="job files (default: the shipped ones whose data is there)")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as graft run"
    )
    options = parser.parse_args()
    origin = provenance()
    jobs = options.jobs or shipped_jobs()
    results = {job: run(job, options.overrides) for job in jobs}
    print(table(["job", "result", "target", "met"], [row for job, one in results.items() for row in rows(job, one)]))
    print(json_line("end_to_end", origin, {"overrides": options.overrides, "jobs": results}))
    return 0 if all(one["status"] == "completed" for one in results.values()) else 1


def shipped_jobs() -> list[str]:
    """Those of the jobs with a target that exist and whose data is on this machine."""
    return [job for job in TARGETS if (REPOSITORY / job).is_file() and _has_data(REPOSITORY / job)]


def run(job: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Run a job in a new home; its JSON summary, and the wall seconds of the whole process."""
    settings = [part for override in overrides for part in ("--set", override)]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as home:
        command = [GRAFT, "run", job, "--json", "--home", home, *settings]
        done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.perf_counter() - started
    lines = done.stdout.strip().splitlines()
    summary = json.loads(lines[-1]) if lines else {"status": "failed", "error": f"exit code {done.returncode}"}
    return {**summary, "process_seconds": round(seconds, 2)}


def rows(job: str, result: dict[str, Any]) -> list[list[Any]]:
    """Lines of the table: job and measure, result, target, whether it was met."""
    if result["status"] != "completed":
        return [[f"{job} {result['status']}", result.get("error", ""), None, None]]
    target = TARGETS.get(job)
    low, high = result["test_interval"]
    minutes = result["process_seconds"] / 60
    score = f"{result['test']:.4f} ({low:.4f} to {high:.4f})"
    return [
        [f"{job} test {result['metric']}", score, target and target.test, target and result["test"] >= target.test],
        [f"{job} minutes", minutes, target and target.minutes, target and minutes <= target.minutes],
        [f"{job} validation {result['metric']}", result["validation"], None, None],
        [f"{job} trials", _trials(result["trials"]), None, None],
        *([f"{job} {stage} s", result["stages"][stage], None, None] for stage in STAGES if stage in result["stages"]),
    ]


def _trials(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _has_data(job: Path) -> bool:
    path = getattr(load_job(job).data, "path", None)
    return path is None or path.is_dir()


if __name__ == "__main__":
    sys.exit(main())
