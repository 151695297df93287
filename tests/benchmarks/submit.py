"""How long a submitted job needs to its first trial, beside what Ray's own Jobs API needs for one that does nothing.

A head with a token is started on this machine, and warmed up. Then, in turn: `bare`, a process that submits `python -c
pass` with Ray's client and waits for its end; `run`, `graft run` on the node, to the start of its first trial;
`submit`, `graft submit` of the same job from outside, to the start of its first trial. What submitting costs beyond the
run itself, over what the bare client costs: (submit - run) / bare, by medians. The data are ingested once, before.
"""

import argparse
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from reporting import json_line, provenance, spread, table
from tests.fixtures.clusters import GRAFT, Head, head_with_token, wait_for

EXAMPLE = """example:
  python tests/benchmarks/submit.py --runs 5
  python tests/benchmarks/submit.py --smoke
"""
TARGET = 1.2
JOB = {
    "name": "submitted",
    "data": {"kind": "digits", "limit": 200},
    "strategy": {"resolution": 32, "freeze": 1.0, "lr": {"loguniform": [1.0e-3, 1.0e-1]}},
    "training": {"epochs": 2, "final_on": "train"},
    "search": {"scheduler": "none", "budget": {"trials": 1}},
    "resources": {"concurrent_trials": 1},
    "export": {"register": False},
}
BARE = """
import sys, time
from ray.job_submission import JobSubmissionClient
client = JobSubmissionClient(sys.argv[1])
job = client.submit_job(entrypoint="python -c pass", entrypoint_num_cpus=0)
while not client.get_job_status(job).is_terminal():
    time.sleep(0.05)
sys.exit(str(client.get_job_status(job)) != "SUCCEEDED")
"""


def main() -> int:
    """Measure, print the table and the JSON line; 1 if it missed its target."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="of each (default: 5)")
    parser.add_argument("--smoke", action="store_true", help="one run, to see that it works")
    options = parser.parse_args()
    runs, origin = 1 if options.smoke else options.runs, provenance()
    found: dict[str, list[float]] = {"bare": [], "run": [], "submit": []}
    token = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="gs") as name, head_with_token(Path(name), token) as cluster:
        job = Path(name) / "job.yaml"
        job.write_text(yaml.safe_dump(JOB))
        for number in range(runs + 1):
            seconds = {"bare": bare(cluster), "run": run(cluster, job, number), "submit": submit(cluster, job, number)}
            for kind, value in seconds.items() if number else ():  # the first ones warm up
                found[kind].append(value)
    medians = {kind: statistics.median(values) for kind, values in found.items()}
    over = (medians["submit"] - medians["run"]) / medians["bare"]
    rows = [[kind, *spread(values).values()] for kind, values in found.items()]
    print(table(["what", "min s", "median s", "max s"], rows))
    print(f"(submit - run) / bare: {over:.2f}, target <= {TARGET}")
    print(json_line("submit", origin, {"runs": runs, "seconds": medians, "over": over}))
    return 0 if options.smoke or over <= TARGET else 1


def bare(cluster: Head) -> float:
    """Seconds of a process that has Ray run nothing."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", BARE, cluster.address], env=cluster.outside, check=True, capture_output=True)
    return time.perf_counter() - started


def run(cluster: Head, job: Path, number: int) -> float:
    """Seconds from `graft run` on the node to the start of its first trial."""
    name = f"run-{number}"
    environment = {**cluster.inside, "RAY_ADDRESS": cluster.gcs}
    command = [*GRAFT, "run", str(job), "--experiment", name]
    started = time.perf_counter()
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = to_the_first_trial(cluster, name, started)
    running.wait()
    return seconds


def submit(cluster: Head, job: Path, number: int) -> float:
    """Seconds from `graft submit` outside to the start of the job's first trial."""
    name = f"submit-{number}"
    command = [*GRAFT, "submit", str(job), "--experiment", name, "--wait", "--address", cluster.address]
    started = time.perf_counter()
    running = subprocess.Popen(command, env=cluster.outside, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = to_the_first_trial(cluster, name, started)
    running.wait()
    return seconds


def to_the_first_trial(cluster: Head, name: str, started: float) -> float:
    """Seconds until the journal says that a trial has begun."""
    wait_for(cluster.home / "experiments" / name / "journal.jsonl", "TrialStarted", every=0.02)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
